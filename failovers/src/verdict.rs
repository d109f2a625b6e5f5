//! What all sightings of a campaign come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::load::{SHARED, SHARED_LIMIT, fresh_prefix};
use crate::sighting::{How, Seen, Sighting};

/// Everything that was seen, judged.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) grants: usize,
    /// Grants of one name with the same token.
    pub(crate) repeated: usize,
    /// Grants with a smaller token than one that had returned before they were requested.
    pub(crate) regressed: usize,
    /// Moments at which more than the limit believed to hold, and the longest of them.
    pub(crate) overlaps: usize,
    pub(crate) longest_overlap: Duration,
    pub(crate) hanging: usize,
    pub(crate) ends: BTreeMap<How, usize>,
    /// From the announcement to each process's next refresh, and to its next grant of a fresh name.
    pub(crate) renewed: Delays,
    pub(crate) granted: Delays,
}

/// When a master was lost, and when the first sentinel announced another.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failover {
    pub(crate) began: Duration,
    pub(crate) announced: Duration,
}

/// Delays, in order.
#[derive(Debug, Default)]
pub(crate) struct Delays(Vec<Duration>);

impl Verdict {
    pub(crate) fn of(sightings: &[Sighting], failovers: &[Failover], clients: u32) -> Self {
        let mut by_name = BTreeMap::<&str, Vec<&Seen>>::new();
        for seen in permits(sightings) {
            by_name.entry(&seen.name).or_default().push(seen);
        }
        let mut verdict = Self::default();
        for (name, seen) in &by_name {
            verdict.grants += seen.len();
            verdict.repeated += seen.len() - seen.iter().map(|seen| seen.token).collect::<BTreeSet<_>>().len();
            verdict.regressed += regressed(seen);
            let limit = if *name == SHARED { SHARED_LIMIT } else { 1 };
            verdict.count_overlaps(seen, limit);
        }
        for seen in permits(sightings) {
            *verdict.ends.entry(seen.how).or_default() += 1;
        }
        let is_hanging = |sighting: &&Sighting| matches!(sighting, Sighting::Hanging { .. });
        verdict.hanging = sightings.iter().filter(is_hanging).count();
        verdict.renewed = Delays::after(failovers, clients, |client| renewals(sightings, client));
        verdict.granted = Delays::after(failovers, clients, |client| fresh_grants(sightings, client));
        verdict
    }

    /// Whether tokens were in order and nobody waits; overlaps are excused where there is no grace.
    pub(crate) fn is_good(&self, excuses_overlaps: bool) -> bool {
        let holds = excuses_overlaps || self.overlaps == 0;
        holds && self.grants > 0 && (self.repeated, self.regressed, self.hanging) == (0, 0, 0)
    }

    fn count_overlaps(&mut self, seen: &[&Seen], limit: u32) {
        let begins = seen.iter().map(|seen| (seen.granted, 1));
        let mut changes: Vec<(Duration, i64)> = begins.chain(seen.iter().map(|seen| (seen.ended, -1))).collect();
        changes.sort_unstable();
        let (mut holders, mut since) = (0, None);
        for (at, change) in changes {
            holders += change;
            match since {
                None if holders > i64::from(limit) => since = Some(at),
                Some(start) if holders <= i64::from(limit) => {
                    self.overlaps += 1;
                    self.longest_overlap = self.longest_overlap.max(at - start);
                    since = None;
                }
                _ => {}
            }
        }
    }
}

fn permits(sightings: &[Sighting]) -> impl Iterator<Item = &Seen> {
    sightings.iter().filter_map(|sighting| match sighting {
        Sighting::Permit(seen) => Some(seen),
        _ => None,
    })
}

/// How many have a smaller token than one that had been granted before they were asked for.
fn regressed(seen: &[&Seen]) -> usize {
    let mut granted: Vec<_> = seen.iter().map(|seen| (seen.granted, seen.token)).collect();
    let mut asked: Vec<_> = seen.iter().map(|seen| (seen.asked, seen.token)).collect();
    granted.sort_unstable();
    asked.sort_unstable();
    let mut before = granted.into_iter().peekable();
    let mut highest = 0;
    asked
        .into_iter()
        .filter(|&(at, token)| {
            while let Some((_, earlier)) = before.next_if(|(granted, _)| *granted < at) {
                highest = highest.max(earlier);
            }
            token <= highest
        })
        .count()
}

fn renewals(sightings: &[Sighting], of: u32) -> Vec<Duration> {
    let times = sightings.iter().filter_map(|sighting| match sighting {
        Sighting::Renewed { client, at } if *client == of => Some(*at),
        _ => None,
    });
    times.collect()
}

fn fresh_grants(sightings: &[Sighting], of: u32) -> Vec<Duration> {
    let prefix = fresh_prefix(of);
    permits(sightings)
        .filter(|seen| seen.name.starts_with(&prefix))
        .map(|seen| seen.granted)
        .collect()
}

impl Delays {
    /// For each failover and process the time from the announcement to the first of its `times`; 0 where it had found the
    /// new master before.
    fn after(failovers: &[Failover], clients: u32, times: impl Fn(u32) -> Vec<Duration>) -> Self {
        let mut delays = Vec::new();
        for client in 1..=clients {
            let mut times = times(client);
            times.sort_unstable();
            for (index, failover) in failovers.iter().enumerate() {
                let next = times.partition_point(|&time| time < failover.began);
                let until = failovers.get(index + 1).map_or(Duration::MAX, |next| next.began);
                let time = times.get(next).filter(|&&time| time < until);
                delays.extend(time.map(|time| time.saturating_sub(failover.announced)));
            }
        }
        delays.sort_unstable();
        Self(delays)
    }

    fn at(&self, permille: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * permille / 1000).copied().unwrap_or_default()
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, late, last] = [500, 990, 1000].map(|permille| self.at(permille));
        write!(
            f,
            "p50 {median:.1?}, p99 {late:.1?}, max {last:.1?} of {}",
            self.0.len()
        )
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "grants     {}: {:?}", self.grants, self.ends)?;
        writeln!(f, "tokens     {} repeated, {} regressed", self.repeated, self.regressed)?;
        writeln!(
            f,
            "overlaps   {}, the longest {:.1?}",
            self.overlaps, self.longest_overlap
        )?;
        writeln!(f, "hanging    {}", self.hanging)?;
        writeln!(f, "renewed    {} after the announcement", self.renewed)?;
        write!(f, "granted    {} after the announcement", self.granted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(token: u64, asked: u64, granted: u64, ended: u64) -> Sighting {
        let [asked, granted, ended] = [asked, granted, ended].map(Duration::from_secs);
        Sighting::Permit(Seen {
            client: 1,
            name: "one".to_owned(),
            slot: 0,
            token,
            asked,
            granted,
            ended,
            how: How::Released,
        })
    }

    fn judged(sightings: &[Sighting]) -> (usize, usize, usize) {
        let verdict = Verdict::of(sightings, &[], 1);
        (verdict.repeated, verdict.regressed, verdict.overlaps)
    }

    #[test]
    fn tokens_that_grow_and_permits_one_after_the_other_are_good() {
        let good = [seen(1, 0, 1, 2), seen(2, 1, 3, 4), seen(3, 5, 6, 7)];

        assert_eq!(judged(&good), (0, 0, 0));
        assert!(Verdict::of(&good, &[], 1).is_good(false));
        assert!(!Verdict::of(&[], &[], 1).is_good(true), "nothing seen is no proof");
    }

    #[test]
    fn a_token_that_repeats_or_goes_back_and_two_holders_at_once_are_seen() {
        assert_eq!(judged(&[seen(5, 0, 1, 2), seen(5, 3, 4, 5)]), (1, 1, 0));
        assert_eq!(judged(&[seen(5, 0, 1, 2), seen(4, 3, 4, 5)]), (0, 1, 0));
        assert_eq!(
            judged(&[seen(5, 0, 4, 5), seen(4, 3, 6, 7)]),
            (0, 0, 0),
            "asked for before the other was granted"
        );
        assert_eq!(judged(&[seen(1, 0, 1, 4), seen(2, 1, 3, 5)]), (0, 0, 1));
    }

    #[test]
    fn a_delay_belongs_to_the_failover_before_it() {
        let at = |seconds| Duration::from_secs(seconds);
        let renewed = [2, 3, 14, 21].map(|seconds| Sighting::Renewed {
            client: 1,
            at: at(seconds),
        });
        let failover = |began, announced| Failover {
            began: at(began),
            announced: at(announced),
        };

        let verdict = Verdict::of(
            &renewed,
            &[failover(0, 1), failover(8, 10), failover(20, 22), failover(30, 31)],
            1,
        );

        assert_eq!(verdict.renewed.0, [at(0), at(1), at(4)]);
    }
}
