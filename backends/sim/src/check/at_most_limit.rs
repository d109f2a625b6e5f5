//! No more slots are acted on than the limit allows.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::check::facts::Facts;
use crate::check::life::{Granted, Life};
use crate::check::{Invariant, Report};
use crate::history::{Op, What};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    let overrides = overrides(facts);
    for name in facts.by_name.keys() {
        check_name(facts, report, name, overrides.get(name).map_or(&[], Vec::as_slice));
    }
}

/// The limits that operators stored, and since when. Where records show them, that is when they came into force.
fn overrides<'a>(facts: &Facts<'a>) -> BTreeMap<&'a str, Vec<(Duration, u32)>> {
    let mut overrides: BTreeMap<&str, Vec<(Duration, u32)>> = BTreeMap::new();
    for event in &facts.history.events {
        let (name, limit) = match &event.what {
            What::Resized { name, limit } => (name, limit),
            What::Record(record) => (&record.name, &record.limit),
            _ => continue,
        };
        let Some(limit) = *limit else { continue };
        let known = overrides.entry(name).or_default();
        if known.last().is_none_or(|(_, last)| *last != limit) {
            known.push((event.at, limit));
        }
    }
    overrides
}

fn check_name(facts: &Facts<'_>, report: &mut Report, name: &str, overrides: &[(Duration, u32)]) {
    let mut starts: Vec<(Duration, Duration, Op)> = Vec::new();
    for life in facts.of_name(name) {
        starts.extend(life.active.iter().map(|span| (span.from, span.until, life.op())));
    }
    starts.sort_unstable();
    let mut running: Vec<(Duration, Op)> = Vec::new();
    for (from, until, op) in starts {
        running.retain(|(until, _)| *until > from);
        running.push((until, op));
        let lives: Vec<&Life<'_>> = running.iter().map(|(_, op)| &facts.lives[op]).collect();
        let (taken, limit) = (slots(&lives), largest(&lives, overrides, from));
        if taken > limit {
            let ops: Vec<Op> = running.iter().map(|(_, op)| *op).collect();
            let text = format!("{taken} slots of {name} are acted on, and its limit is {limit}");
            return report.add(Invariant::AtMostLimit, from, ops, text);
        }
    }
}

fn slots(lives: &[&Life<'_>]) -> usize {
    let slots = |grant: Granted<'_>| grant.slots.to_vec();
    let all: BTreeSet<u32> = lives
        .iter()
        .filter_map(|life| life.grant.map(slots))
        .flatten()
        .collect();
    all.len()
}

/// The largest limit that may have been in force since the oldest of these was asked for.
fn largest(lives: &[&Life<'_>], overrides: &[(Duration, u32)], now: Duration) -> usize {
    let oldest = lives.iter().map(|life| life.asked_at).min().unwrap_or_default();
    let since = overrides.iter().rposition(|(at, _)| *at <= oldest).unwrap_or(0);
    let stored = overrides[since..].iter().filter(|(at, _)| *at <= now);
    let own = lives.iter().map(|life| life.asked.limit);
    let largest = stored.map(|(_, limit)| *limit).chain(own).max().unwrap_or(0);
    largest as usize
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn a_slot_beyond_the_limit_is_one_holder_too_many() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             10 grant 1 token=5 slots=0
             20 grant 2 token=6 slots=1
             30 return 1
             40 return 2",
        );

        assert_eq!(report.broken(), [Invariant::AtMostLimit]);
    }

    #[test]
    fn a_limit_that_an_operator_raised_is_the_limit() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             10 grant 1 token=5 slots=0
             15 resize 2
             20 grant 2 token=6 slots=1
             30 return 1
             40 return 2",
        );

        assert_eq!(report.broken(), []);
    }
}
