//! After a newer write the resource admits no older one.

use std::collections::BTreeMap;
use std::time::Duration;

use semafence::FencingToken;

use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::span::Span;
use crate::check::token_order::is_beyond_guarantee;
use crate::check::{Invariant, Report};
use crate::history::{Op, What};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    let mut newest: BTreeMap<(&str, u32), (Op, FencingToken)> = BTreeMap::new();
    for event in &facts.history.events {
        let What::Wrote {
            op,
            slot,
            token,
            admitted: true,
        } = &event.what
        else {
            continue;
        };
        let Some(life) = facts.lives.get(op) else { continue };
        let (last, last_token) = *newest.entry((life.name(), *slot)).or_insert((*op, *token));
        if last == *op {
            continue;
        }
        if *token < last_token || is_older(facts, life, &facts.lives[&last]) {
            complain(facts, report, event.at, life, *slot, last);
        } else {
            newest.insert((life.name(), *slot), (*op, *token));
        }
    }
}

/// Whether it was granted before the other: in an older epoch, or by an earlier change of the records, or, without records,
/// before the other was even asked for.
fn is_older(facts: &Facts<'_>, life: &Life<'_>, other: &Life<'_>) -> bool {
    if let (Some(one), Some(two)) = (facts.home(life), facts.home(other)) {
        let epochs = (
            facts.servers.epoch(one.server, one.at),
            facts.servers.epoch(two.server, two.at),
        );
        return (epochs.0, one.turn) < (epochs.1, two.turn);
    }
    let epochs = (facts.epoch(life), facts.epoch(other));
    epochs.0 <= epochs.1 && life.grant.is_some_and(|grant| grant.at < other.asked_at)
}

fn complain(facts: &Facts<'_>, report: &mut Report, at: Duration, life: &Life<'_>, slot: u32, newer: Op) {
    if is_beyond_guarantee(facts, Span::new(life.asked_at, at)) {
        return;
    }
    let (op, name) = (life.op(), life.name());
    let text = format!("a write of {op} on slot {slot} of {name} is admitted after one of {newer}, which is newer");
    report.add(Invariant::FenceAccepts, at, [op, newer], text);
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn a_stale_write_that_is_admitted_is_caught() {
        let report = story(
            "0 ask 1 by 1
             10 grant 1 token=5
             20 pause 1
             4000 ask 2 by 2
             4010 grant 2 token=6
             4020 write 2 token=6
             5000 write 1 token=5
             5000 resume 1
             5000 lose 1
             6000 return 2",
        );

        assert_eq!(report.broken(), [Invariant::FenceAccepts]);
    }

    #[test]
    fn a_stale_write_before_any_newer_one_is_nobodys_fault() {
        let report = story(
            "0 ask 1 by 1
             10 grant 1 token=5
             20 pause 1
             4000 ask 2 by 2
             4010 grant 2 token=6
             5000 write 1 token=5
             5000 resume 1
             5000 lose 1
             5020 write 2 token=6
             5030 write 1 token=5 refused
             6000 return 2",
        );

        assert_eq!(report.broken(), []);
    }
}
