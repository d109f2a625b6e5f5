//! What all sightings of a campaign come to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::delays::Delays;
use crate::failover::Failover;
use crate::load::{SHARED, SHARED_LIMIT, fresh_prefix};
use crate::sides::Sides;
use crate::sighting::{How, Seen, Sighting};

/// Everything that was seen, judged.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) grants: usize,
    /// Grants of one name with the same token.
    pub(crate) repeated: usize,
    /// Grants with a smaller token than one that had returned before they were requested; those of a master that was cut
    /// off do not count, they are outranked.
    pub(crate) regressed: usize,
    pub(crate) outranked: usize,
    /// Moments at which more than the limit believed to hold, and the longest of them.
    pub(crate) overlaps: usize,
    pub(crate) longest_overlap: Duration,
    pub(crate) hanging: usize,
    /// Permits that no server knew for longer than a refresh takes, and whose holders were not told.
    pub(crate) untold: usize,
    pub(crate) ends: BTreeMap<How, usize>,
    /// From the announcement to each process's next refresh, and to its next grant of a fresh name.
    pub(crate) renewed: Delays,
    pub(crate) granted: Delays,
    /// If there was a split.
    pub(crate) sides: Option<Sides>,
}

impl Verdict {
    /// `told_within` is how long a holder may believe in what a whole deployment does not know.
    pub(crate) fn of(sightings: &[Sighting], failovers: &[Failover], processes: u32, told_within: Duration) -> Self {
        let permits: Vec<_> = permits(sightings).collect();
        let mut by_name = BTreeMap::<&str, Vec<&Seen>>::new();
        for &seen in &permits {
            by_name.entry(&seen.name).or_default().push(seen);
        }
        let (mut verdict, mut all_overlaps) = (Self::default(), Vec::new());
        for (name, seen) in &by_name {
            verdict.grants += seen.len();
            verdict.repeated += seen.len() - seen.iter().map(|seen| seen.token).collect::<BTreeSet<_>>().len();
            let (outranked, regressed): (Vec<_>, Vec<_>) =
                regressed(seen).into_iter().partition(|seen| seen.is_stale(failovers));
            verdict.regressed += regressed.len();
            verdict.outranked += outranked.len();
            let limit = if *name == SHARED { SHARED_LIMIT } else { 1 };
            all_overlaps.extend(overlaps(seen, limit));
        }
        verdict.overlaps = all_overlaps.len();
        let lengths = all_overlaps.iter().map(|(from, to)| *to - *from);
        verdict.longest_overlap = lengths.max().unwrap_or_default();
        for seen in &permits {
            *verdict.ends.entry(seen.how).or_default() += 1;
        }
        let is_hanging = |sighting: &&Sighting| matches!(sighting, Sighting::Hanging { .. });
        verdict.hanging = sightings.iter().filter(is_hanging).count();
        let is_untold = |seen: &&&Seen| is_untold(seen, failovers, told_within);
        verdict.untold = permits.iter().filter(is_untold).count();
        verdict.renewed = delays(failovers, processes, |client| renewals(sightings, client));
        verdict.granted = delays(failovers, processes, |client| fresh_grants(sightings, client));
        let is_split = failovers.iter().any(|failover| failover.split.is_some());
        verdict.sides = is_split.then(|| Sides::of(&permits, &all_overlaps, failovers));
        verdict
    }

    /// Whether tokens were in order, nobody waits, and everybody knows; overlaps are excused where nothing prevents them.
    pub(crate) fn is_good(&self, excuses_overlaps: bool) -> bool {
        let holds = excuses_overlaps || self.overlaps == 0;
        let outranks = self.sides.as_ref().is_none_or(Sides::is_good);
        let wrong = self.repeated + self.regressed + self.hanging + self.untold;
        holds && outranks && self.grants > 0 && wrong == 0
    }
}

fn permits(sightings: &[Sighting]) -> impl Iterator<Item = &Seen> {
    sightings.iter().filter_map(|sighting| match sighting {
        Sighting::Permit(seen) => Some(seen),
        _ => None,
    })
}

/// From when to when more than the limit believed to hold.
fn overlaps(seen: &[&Seen], limit: u32) -> Vec<(Duration, Duration)> {
    let begins = seen.iter().map(|seen| (seen.granted, 1));
    let mut changes: Vec<(Duration, i64)> = begins.chain(seen.iter().map(|seen| (seen.ended, -1))).collect();
    changes.sort_unstable();
    let (mut holders, mut since, mut overlaps) = (0, None, Vec::new());
    for (at, change) in changes {
        holders += change;
        match since {
            None if holders > i64::from(limit) => since = Some(at),
            Some(start) if holders <= i64::from(limit) => {
                overlaps.push((start, at));
                since = None;
            }
            _ => {}
        }
    }
    overlaps
}

/// Given back, unknown to the server, long after all was whole again that could have forgotten it.
fn is_untold(seen: &Seen, failovers: &[Failover], told_within: Duration) -> bool {
    let forgotten = |failover: &Failover| seen.granted < failover.announced && failover.over + told_within < seen.ended;
    seen.how == How::Absent && failovers.iter().any(forgotten)
}

/// Those that have a smaller token than one that had been granted before they were asked for.
fn regressed<'a>(seen: &[&'a Seen]) -> Vec<&'a Seen> {
    let mut granted: Vec<_> = seen.iter().map(|seen| (seen.granted, seen.token)).collect();
    let mut asked = seen.to_vec();
    granted.sort_unstable();
    asked.sort_unstable_by_key(|seen| seen.asked);
    let mut before = granted.into_iter().peekable();
    let mut highest = 0;
    asked
        .into_iter()
        .filter(|seen| {
            while let Some((_, earlier)) = before.next_if(|(granted, _)| *granted < seen.asked) {
                highest = highest.max(earlier);
            }
            seen.token <= highest
        })
        .collect()
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

/// For each failover and process that heard of it, the time from the announcement to the first of its `times`; 0 where it
/// had found the new master before.
fn delays(failovers: &[Failover], processes: u32, times: impl Fn(u32) -> Vec<Duration>) -> Delays {
    let mut delays = Vec::new();
    for process in 1..=processes {
        let mut times = times(process);
        times.sort_unstable();
        for (index, failover) in failovers.iter().enumerate() {
            let next = times.partition_point(|&time| time < failover.began);
            let until = failovers.get(index + 1).map_or(Duration::MAX, |next| next.began);
            let time = times
                .get(next)
                .filter(|&&time| time < until && failover.is_heard_by(process));
            delays.extend(time.map(|time| time.saturating_sub(failover.announced)));
        }
    }
    delays.into_iter().collect()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "grants     {}: {:?}", self.grants, self.ends)?;
        write!(f, "tokens     {} repeated, {} regressed", self.repeated, self.regressed)?;
        match self.sides {
            Some(_) => writeln!(f, ", {} outranked", self.outranked)?,
            None => writeln!(f)?,
        }
        writeln!(
            f,
            "overlaps   {}, the longest {:.1?}",
            self.overlaps, self.longest_overlap
        )?;
        writeln!(f, "hanging    {}", self.hanging)?;
        writeln!(f, "untold     {}", self.untold)?;
        writeln!(f, "renewed    {} after the announcement", self.renewed)?;
        write!(f, "granted    {} after the announcement", self.granted)?;
        match &self.sides {
            Some(sides) => write!(f, "\n{sides}"),
            None => Ok(()),
        }
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
        let verdict = Verdict::of(sightings, &[], 1, Duration::ZERO);
        (verdict.repeated, verdict.regressed, verdict.overlaps)
    }

    #[test]
    fn tokens_that_grow_and_permits_one_after_the_other_are_good() {
        let good = [seen(1, 0, 1, 2), seen(2, 1, 3, 4), seen(3, 5, 6, 7)];

        assert_eq!(judged(&good), (0, 0, 0));
        assert!(Verdict::of(&good, &[], 1, Duration::ZERO).is_good(false));
        assert!(
            !Verdict::of(&[], &[], 1, Duration::ZERO).is_good(true),
            "nothing seen is no proof"
        );
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
            ..Failover::default()
        };

        let verdict = Verdict::of(
            &renewed,
            &[failover(0, 1), failover(8, 10), failover(20, 22), failover(30, 31)],
            1,
            Duration::ZERO,
        );

        assert_eq!(verdict.renewed, Delays::from_iter([at(0), at(1), at(4)]));
    }

    #[test]
    fn a_holder_that_gives_back_what_was_forgotten_long_ago_was_not_told() {
        let failover = Failover {
            announced: Duration::from_secs(5),
            over: Duration::from_secs(8),
            ..Failover::default()
        };
        let untold = |granted, ended, how| {
            let Sighting::Permit(seen) = seen(1, 0, granted, ended) else {
                unreachable!("it is a permit")
            };
            let verdict = Verdict::of(
                &[Sighting::Permit(Seen { how, ..seen })],
                &[failover],
                1,
                Duration::from_secs(2),
            );
            verdict.untold
        };

        assert_eq!(untold(4, 11, How::Absent), 1);
        assert_eq!(untold(4, 11, How::Released), 0, "it was taken in again");
        assert_eq!(untold(4, 10, How::Absent), 0, "it could not know yet");
        assert_eq!(untold(6, 11, How::Absent), 0, "it was granted later");
    }
}
