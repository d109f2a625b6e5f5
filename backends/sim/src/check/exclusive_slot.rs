//! Two permits of one slot are not acted on at once, or only where a fault explains it, and then not for long.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::check::facts::{Excuse, Facts};
use crate::check::life::Life;
use crate::check::span::Span;
use crate::check::{Invariant, Overlap, Report};
use crate::history::Op;

/// A stretch during which a permit is acted on.
type Turn = (Span, Op);

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    let mut judged = BTreeSet::new();
    for ((_, slot), turns) in by_slot(facts) {
        for (span, one, other) in common(turns) {
            if judged.insert((span.from, one, other)) {
                judge(facts, report, slot, span, [&facts.lives[&one], &facts.lives[&other]]);
            }
        }
    }
}

fn by_slot<'a>(facts: &Facts<'a>) -> BTreeMap<(&'a str, u32), Vec<Turn>> {
    let mut slots: BTreeMap<(&str, u32), Vec<Turn>> = BTreeMap::new();
    for life in facts.lives.values() {
        let Some(grant) = life.grant else { continue };
        for slot in grant.slots {
            let turns = life.active.iter().map(|span| (*span, life.op()));
            slots.entry((life.name(), *slot)).or_default().extend(turns);
        }
    }
    slots
}

/// The pairs that overlap. Only what has begun and is not over is compared: few in a good history.
fn common(mut turns: Vec<Turn>) -> Vec<(Span, Op, Op)> {
    turns.sort_by_key(|(span, op)| (span.from, *op));
    let mut running: Vec<Turn> = Vec::new();
    let mut pairs = Vec::new();
    for (span, op) in turns {
        running.retain(|(other, _)| other.until > span.from);
        let shared = |(other, of): &Turn| span.common(other).map(|common| (common, *of, op));
        pairs.extend(running.iter().filter_map(shared));
        running.push((span, op));
    }
    pairs
}

fn judge(facts: &Facts<'_>, report: &mut Report, slot: u32, span: Span, pair: [&Life<'_>; 2]) {
    let [older, newer] = ranked(facts, pair);
    let ops = [older.op(), newer.op()];
    let titles = [older.title(), newer.title()];
    let Some(excuse) = excuse(facts, older, newer) else {
        let text = format!("{} and {} act on slot {slot} of {}", titles[0], titles[1], older.name());
        return report.add(Invariant::ExclusiveSlot, span.from, ops, text);
    };
    let epoch = facts.epoch(newer).unwrap_or(u64::MAX);
    // The older one may be on record on the newer side of a split: then the other has to go.
    let (leaving, epoch) = match newer_side(facts, older, span).filter(|side| *side > epoch && excuse == Excuse::Split)
    {
        Some(side) => (newer, side),
        None => (older, epoch),
    };
    let bound = facts.told_by(leaving, since(facts, epoch, span, excuse), excuse);
    if span.until > bound {
        let (late, name) = (span.until - bound, older.name());
        let text = format!(
            "{} acts on slot {slot} of {name} beside {} for {late:?} too long",
            titles[0], titles[1]
        );
        return report.add(Invariant::OverlapBound, bound, ops, text);
    }
    report.overlaps.push(Overlap {
        name: older.name().to_owned(),
        slot,
        older: ops[0],
        newer: ops[1],
        from: span.from,
        until: span.until,
        bound,
    });
}

/// The one that is outranked first: of the older epoch, or else granted earlier.
fn ranked<'l, 'a>(facts: &Facts<'a>, [one, other]: [&'l Life<'a>; 2]) -> [&'l Life<'a>; 2] {
    let rank = |life: &Life<'_>| (facts.epoch(life).unwrap_or(0), granted(facts, life));
    if rank(one) <= rank(other) {
        [one, other]
    } else {
        [other, one]
    }
}

/// When a server granted it, or else when the call returned.
fn granted(facts: &Facts<'_>, life: &Life<'_>) -> Duration {
    let home = facts.home(life).map(|home| home.at);
    home.or(life.grant.map(|grant| grant.at)).unwrap_or(life.asked_at)
}

fn excuse(facts: &Facts<'_>, older: &Life<'_>, newer: &Life<'_>) -> Option<Excuse> {
    let later = granted(facts, older).max(granted(facts, newer));
    facts.excuse_to_give(older, later)
}

/// The latest epoch of the servers that have a permit on record.
fn newer_side(facts: &Facts<'_>, life: &Life<'_>, span: Span) -> Option<u64> {
    let stays = facts
        .records
        .of(life.grant?.holder)
        .filter(|stay| stay.span.touches(&span));
    stays.map(|stay| facts.servers.epoch(stay.server, stay.span.from)).max()
}

/// From when the one that has to go could be told: the other was granted, and no server of an epoch before that one's
/// serves any more.
fn since(facts: &Facts<'_>, epoch: u64, span: Span, excuse: Excuse) -> Duration {
    if excuse != Excuse::Split {
        return span.from;
    }
    let reigns = facts.servers.reigns.iter();
    let beside = reigns.filter(|reign| reign.epoch < epoch && reign.span.until > span.from);
    beside
        .map(|reign| reign.span.until)
        .max()
        .unwrap_or(span.from)
        .max(span.from)
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn two_holders_of_one_slot_are_caught() {
        let report = story(
            "0 ask 1 by 1 limit=2
             0 ask 2 by 2 limit=2
             10 grant 1 token=5 slots=0
             20 grant 2 token=6 slots=0
             30 return 1
             40 return 2",
        );

        assert_eq!(report.broken(), [Invariant::ExclusiveSlot]);
    }

    #[test]
    fn a_permit_that_goes_from_hand_to_hand_in_one_moment_is_fine() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             10 grant 1 token=5
             20 grant 2 token=6
             20 lose 1 closed
             40 return 2",
        );

        assert_eq!(report.broken(), []);
    }

    #[test]
    fn a_paused_holder_acts_no_more_when_it_looks_first() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             10 grant 1 token=5
             20 pause 1
             4000 grant 2 token=6
             5000 resume 1
             5000 lose 1
             6000 return 2",
        );

        assert_eq!(report.broken(), []);
    }

    #[test]
    fn an_overlap_after_lost_data_is_measured() {
        let report = story(
            "0 ask 1 by 1 ttl=3000 refresh=1000
             10 grant 1 token=5
             500 forget 0
             500 ask 2 by 2
             600 grant 2 token=6
             1400 lose 1 forgotten
             2000 return 2",
        );

        assert_eq!(report.broken(), []);
        assert_eq!(report.overlaps_ms(), [(1, 2, 600, 1400, 600 + 1000 + 625 + 250)]);
    }

    #[test]
    fn an_overlap_that_takes_too_long_is_caught() {
        let report = story(
            "0 ask 1 by 1 ttl=3000 refresh=1000
             10 grant 1 token=5
             500 forget 0
             500 ask 2 by 2
             600 grant 2 token=6
             2600 return 1
             3000 return 2",
        );

        assert_eq!(report.broken(), [Invariant::OverlapBound]);
    }

    #[test]
    fn a_split_lasts_until_the_old_master_serves_no_more() {
        let report = story(
            "0 ask 1 by 1 ttl=3000 refresh=1000
             5 record server=0 hold=1/5/0/3005
             10 grant 1 token=5
             500 promote 1 epoch=1 forgot
             500 ask 2 by 2
             550 record server=1 hold=2/6/0/3550
             600 grant 2 token=6
             1005 record server=0 hold=1/5/0/4005
             2000 demote 0
             3500 lose 1 forgotten
             3500 return 2
             3510 record server=1",
        );

        assert_eq!(report.broken(), []);
        assert_eq!(report.overlaps_ms(), [(1, 2, 600, 3500, 2000 + 1875)]);
    }
}
