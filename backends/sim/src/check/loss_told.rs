//! A loss is told before the permit can be granted to another.

use std::collections::BTreeMap;

use semafence::HolderId;

use crate::check::bounds::ROUNDING;
use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::records::Stay;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::Op;

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for life in facts.lives.values().filter(|life| facts.home(life).is_some()) {
        for part in without_lease(facts, life) {
            judge_part(facts, report, life, part);
        }
    }
    for (stay, op) in given_meanwhile(facts) {
        judge_gift(facts, report, stay, &facts.lives[&op]);
    }
}

/// While it is acted on and no server has it on record.
fn without_lease(facts: &Facts<'_>, life: &Life<'_>) -> Vec<Span> {
    let Some(grant) = life.grant else {
        return Vec::new();
    };
    let mut leases: Vec<Span> = facts.records.of(grant.holder).map(|stay| stay.span).collect();
    leases.sort_by_key(|lease| lease.from);
    let parts = life.active.iter().flat_map(|span| span.minus(leases.iter().copied()));
    parts.filter(|part| part.until - part.from > ROUNDING).collect()
}

fn judge_part(facts: &Facts<'_>, report: &mut Report, life: &Life<'_>, part: Span) {
    let bound = facts
        .excuse(life, part.from)
        .map_or(part.from, |excuse| facts.told_by(life, part.from, excuse));
    if part.until > bound {
        let (title, name, long) = (life.title(), life.name(), part.until - part.from);
        let text = format!("{title} acts on a permit of {name} without a lease for {long:?}");
        report.add(Invariant::LossTold, bound, [life.op()], text);
    }
}

fn judge_gift(facts: &Facts<'_>, report: &mut Report, stay: &Stay<'_>, older: &Life<'_>) {
    if facts.excuse_to_give(older, stay.span.from).is_some() {
        return;
    }
    let (title, holder, name) = (older.title(), stay.holder, stay.name);
    let text = format!("{holder} is given a slot of {name} on which {title} still acts");
    report.add(Invariant::LossTold, stay.span.from, [older.op()], text);
}

/// A stretch during which a permit is acted on.
type Turn = (Span, Op, HolderId);

/// Leases that a server gives first, of slots that somebody else acts on.
fn given_meanwhile<'f, 'a>(facts: &'f Facts<'a>) -> Vec<(&'f Stay<'a>, Op)> {
    let mut turns = turns(facts);
    let mut gifts = Vec::new();
    for ((name, slot), stays) in gifts_by_slot(facts) {
        let Some(turns) = turns.get_mut(&(name, slot)) else {
            continue;
        };
        turns.sort_by_key(|(span, op, _)| (span.from, *op));
        let (mut turns, mut running) = (turns.iter().peekable(), Vec::<Turn>::new());
        for stay in stays {
            let at = stay.span.from;
            while let Some(turn) = turns.next_if(|(span, ..)| span.from <= at) {
                running.push(*turn);
            }
            running.retain(|(span, ..)| span.until > at);
            let others = running.iter().filter(|(_, _, holder)| *holder != stay.holder);
            gifts.extend(others.map(|(_, op, _)| (stay, *op)));
        }
    }
    gifts
}

fn turns<'a>(facts: &Facts<'a>) -> BTreeMap<(&'a str, u32), Vec<Turn>> {
    let mut turns: BTreeMap<(&str, u32), Vec<Turn>> = BTreeMap::new();
    for life in facts.lives.values() {
        let Some(grant) = life.grant else { continue };
        for slot in grant.slots {
            let spans = life.active.iter().map(|span| (*span, life.op(), grant.holder));
            turns.entry((life.name(), *slot)).or_default().extend(spans);
        }
    }
    turns
}

fn gifts_by_slot<'f, 'a>(facts: &'f Facts<'a>) -> BTreeMap<(&'a str, u32), Vec<&'f Stay<'a>>> {
    let mut gifts: BTreeMap<(&str, u32), Vec<&Stay<'_>>> = BTreeMap::new();
    for stay in &facts.records.stays {
        if facts.records.is_gift(stay) {
            for slot in stay.slots {
                gifts.entry((stay.name, *slot)).or_default().push(stay);
            }
        }
    }
    gifts
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn a_belief_that_outlives_its_lease_is_caught() {
        let report = story(
            "0 ask 1 by 1
             0 disturb 1 network client=1
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             3200 lose 1",
        );

        assert_eq!(report.broken(), [Invariant::LossTold]);
    }

    #[test]
    fn a_slot_that_is_given_away_while_somebody_acts_on_it_is_caught() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             0 disturb 1 network
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             3004 record hold=2/6/0/6004
             3005 lose 1",
        );

        assert_eq!(report.broken(), [Invariant::LossTold]);
    }

    #[test]
    fn a_loss_that_is_told_in_time_is_fine() {
        let report = story(
            "0 ask 1 by 1
             0 disturb 1 network client=1
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             2970 lose 1",
        );

        assert_eq!(report.broken(), []);
    }

    #[test]
    fn what_a_server_forgot_is_told_at_the_next_refresh() {
        let history = |lost: u64| {
            format!(
                "0 ask 1 by 1 ttl=3000 refresh=1000
                 5 record hold=1/5/0/3005
                 10 grant 1 token=5
                 100 forget 0
                 {lost} lose 1 forgotten"
            )
        };

        assert_eq!(story(&history(1500)).broken(), []);
        assert_eq!(story(&history(2500)).broken(), [Invariant::LossTold]);
    }
}
