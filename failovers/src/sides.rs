//! What the two sides of every split come to.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use semafence::{Fence, FencingToken};
use xtask::Side;

use crate::delays::Delays;
use crate::failover::{Failover, Split, side_of};
use crate::sighting::Seen;

/// What the two sides of every split come to.
#[derive(Debug, Default)]
pub(crate) struct Sides {
    /// Grants of the old master to its side, and of the new one, while no packet passed.
    old: usize,
    new: usize,
    /// Those of the new one with a token that is not above all tokens of the old one.
    not_above: usize,
    /// Grants of the old master after one of the new master for the same slot, as a resource takes them that has seen
    /// both: refused, and let in.
    refused: usize,
    let_in: usize,
    /// For each split with more than the limit inside, from the first such moment to the last.
    both: Delays,
    /// From the repair until a process that was cut off was granted something by the new master.
    back: Delays,
}

/// The grants of one name while it was split.
#[derive(Debug, Default)]
struct Grants<'a> {
    old: Vec<&'a Seen>,
    new: Vec<&'a Seen>,
}

impl Sides {
    /// `permits` and `overlaps`, moments with more than the limit inside, are those of all names.
    pub(crate) fn of(permits: &[&Seen], overlaps: &[(Duration, Duration)], failovers: &[Failover]) -> Self {
        let mut sides = Self::default();
        let splits = || failovers.iter().filter_map(|failover| failover.split);
        for split in splits() {
            for grants in grants(permits, split).into_values() {
                sides.compare(&grants);
            }
        }
        sides.both = splits().filter_map(|split| window(overlaps, split)).collect();
        sides.back = splits().flat_map(|split| returns(permits, split)).collect();
        sides
    }

    /// Whether the new side outranked the old one, everywhere.
    pub(crate) fn is_good(&self) -> bool {
        (self.not_above, self.let_in) == (0, 0)
    }

    /// Whether the old side went on granting what was somebody else's by then.
    pub(crate) fn bite(&self) -> bool {
        self.refused > 0
    }

    fn compare(&mut self, grants: &Grants<'_>) {
        self.old += grants.old.len();
        self.new += grants.new.len();
        let highest = grants.old.iter().map(|seen| seen.token).max();
        self.not_above += grants.new.iter().filter(|seen| Some(seen.token) <= highest).count();
        let (refused, let_in) = presented(grants);
        self.refused += refused;
        self.let_in += let_in;
    }
}

impl Seen {
    /// Granted by the old master of a split, at the latest when it was demoted.
    pub(crate) fn is_stale(&self, failovers: &[Failover]) -> bool {
        let mut splits = failovers.iter().filter_map(|failover| failover.split);
        let grants = |split: Split| (split.cut..=split.demoted).contains(&self.granted);
        side_of(self.client) == Side::CutOff && splits.any(grants)
    }

    /// No packet passed, so this can only be the old master's.
    fn is_of_old(&self, split: Split) -> bool {
        side_of(self.client) == Side::CutOff && (split.cut..split.healed).contains(&self.granted)
    }

    /// Asked for when no packet passed, so this can only be the new master's.
    fn is_of_new(&self, split: Split) -> bool {
        side_of(self.client) == Side::Rest && split.cut <= self.asked && self.granted < split.healed
    }
}

fn grants<'a>(permits: &[&'a Seen], split: Split) -> BTreeMap<&'a str, Grants<'a>> {
    let mut by_name = BTreeMap::<&str, Grants<'_>>::new();
    for &seen in permits {
        if seen.is_of_old(split) {
            by_name.entry(&seen.name).or_default().old.push(seen);
        } else if seen.is_of_new(split) {
            by_name.entry(&seen.name).or_default().new.push(seen);
        }
    }
    by_name
}

/// How many grants of the old master a fenced resource refuses and lets in that has seen a newer owner of the slot.
fn presented(grants: &Grants<'_>) -> (usize, usize) {
    let old = grants.old.iter().map(|seen| (seen.granted, false, seen));
    let new = grants.new.iter().map(|seen| (seen.granted, true, seen));
    let mut in_order: Vec<_> = old.chain(new).collect();
    in_order.sort_unstable_by_key(|(granted, ..)| *granted);
    let (mut fence, mut seen_newer) = (Fence::new(), Vec::new());
    let (mut refused, mut let_in) = (0, 0);
    for (_, is_new, seen) in in_order {
        let admitted = fence.admit(seen.slot, FencingToken::from_u64(seen.token)).is_ok();
        if is_new {
            seen_newer.push(seen.slot);
        } else if seen_newer.contains(&seen.slot) {
            refused += usize::from(!admitted);
            let_in += usize::from(admitted);
        }
    }
    (refused, let_in)
}

/// From the first moment with more than the limit inside to the last, for as long as the old master was one.
fn window(overlaps: &[(Duration, Duration)], split: Split) -> Option<Duration> {
    let during = |&&(from, to): &&(Duration, Duration)| split.cut < to && from < split.demoted;
    let first = overlaps.iter().filter(during).map(|(from, _)| *from).min()?;
    let last = overlaps.iter().filter(during).map(|(_, to)| *to).max()?;
    Some(last - first)
}

/// How long each process that was cut off took to find the new master: it is known by its tokens.
fn returns(permits: &[&Seen], split: Split) -> Vec<Duration> {
    let of_new = permits.iter().filter(|seen| seen.is_of_new(split));
    let Some(lowest) = of_new.map(|seen| seen.token).min() else {
        return Vec::new();
    };
    let mut first = BTreeMap::<u32, Duration>::new();
    let is_back =
        |seen: &&&Seen| side_of(seen.client) == Side::CutOff && seen.granted >= split.healed && seen.token >= lowest;
    for seen in permits.iter().filter(is_back) {
        let earliest = first.entry(seen.client).or_insert(seen.granted);
        *earliest = seen.granted.min(*earliest);
    }
    first.into_values().map(|granted| granted - split.healed).collect()
}

impl fmt::Display for Sides {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "sides      {} grants of the old side, {} of the new, {} of them not above the old side's",
            self.old, self.new, self.not_above
        )?;
        writeln!(
            f,
            "fence      {} of the old side refused after a newer owner of the slot, {} let in",
            self.refused, self.let_in
        )?;
        writeln!(f, "both hold  from first to last moment {}", self.both)?;
        write!(f, "back       {} after the repair", self.back)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sighting::How;

    const REST: u32 = 1;
    const CUT_OFF: u32 = 2;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn seen(client: u32, token: u64, asked: u64, granted: u64) -> Seen {
        Seen {
            client,
            name: "one".to_owned(),
            slot: 0,
            token,
            asked: seconds(asked),
            granted: seconds(granted),
            ended: seconds(granted + 1),
            how: How::Released,
        }
    }

    fn failover() -> Failover {
        Failover {
            split: Some(Split {
                cut: seconds(10),
                healed: seconds(20),
                demoted: seconds(30),
            }),
            ..Failover::default()
        }
    }

    fn sides(permits: &[Seen]) -> Sides {
        Sides::of(&permits.iter().collect::<Vec<_>>(), &[], &[failover()])
    }

    #[test]
    fn a_new_side_with_larger_tokens_is_good_whatever_the_old_one_grants_meanwhile() {
        let sides = sides(&[
            seen(CUT_OFF, 5, 9, 11),
            seen(REST, 100, 11, 13),
            seen(CUT_OFF, 6, 13, 14),
            seen(CUT_OFF, 7, 19, 22),
        ]);

        assert!(sides.is_good());
        assert_eq!((sides.old, sides.new, sides.refused), (2, 1, 1));
    }

    #[test]
    fn an_old_side_with_a_token_as_large_as_one_of_the_new_side_is_seen() {
        let sides = sides(&[seen(REST, 100, 11, 13), seen(CUT_OFF, 100, 13, 14)]);

        assert!(!sides.is_good());
        assert_eq!((sides.not_above, sides.let_in), (1, 1));
    }

    #[test]
    fn only_what_the_old_master_granted_to_its_side_is_stale() {
        let failovers = [failover()];
        let stale = |client, granted| seen(client, 1, 1, granted).is_stale(&failovers);

        assert!(stale(CUT_OFF, 12) && stale(CUT_OFF, 30));
        assert!(!stale(CUT_OFF, 9) && !stale(CUT_OFF, 31) && !stale(REST, 12));
    }

    #[test]
    fn both_hold_from_the_first_such_moment_to_the_last() {
        let overlaps = [(2, 3), (12, 13), (18, 25), (40, 41)].map(|(from, to)| (seconds(from), seconds(to)));

        let sides = Sides::of(&[], &overlaps, &[failover(), Failover::default()]);

        assert_eq!(sides.both, Delays::from_iter([seconds(13)]));
    }

    #[test]
    fn a_process_is_back_when_the_new_master_grants_it_something() {
        let sides = sides(&[
            seen(REST, 100, 11, 13),
            seen(CUT_OFF, 8, 19, 21),
            seen(CUT_OFF, 200, 21, 23),
            seen(CUT_OFF, 201, 23, 24),
        ]);

        assert_eq!(sides.back, Delays::from_iter([seconds(3)]));
    }
}
