//! Whoever queues is served in order.

use semafence::HolderId;

use crate::check::bounds::{PROMPT, patience};
use crate::check::facts::Facts;
use crate::check::records::Turn;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::{Event, Op, Record, What};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for turn in facts.records.turns.iter().filter(|turn| !turn.disrupted) {
        let Some((_, before)) = turn.before else { continue };
        if let Some((passed, by)) = passed(facts, turn, before).or_else(|| displaced(before, turn.after)) {
            let ops = [passed, by].map(|holder| facts.life_of(holder).map(|life| life.op()));
            let ops: Vec<Op> = ops.into_iter().flatten().collect();
            let text = format!("{by} passes {passed} in the queue of {}", turn.after.name);
            report.add(Invariant::Fifo, turn.at, ops, text);
        }
    }
    check_places(facts, report);
}

/// Whoever leaves the queue of a server has a permit at once, is over, or was put out by an operator.
fn check_places(facts: &Facts<'_>, report: &mut Report) {
    for wait in &facts.records.waits {
        let Some((life, grant)) = facts.granted_to(wait.holder) else {
            continue;
        };
        let left = wait.span.until;
        let prompt = Span::new(left.saturating_sub(life.asked.ttl), left.saturating_add(PROMPT));
        let is_handed = facts.records.of(wait.holder).any(|stay| stay.span.from == left);
        let is_late = life.asked.queues && grant.at > prompt.until && !is_handed;
        let resized = |event: &Event| matches!(&event.what, What::Resized { name, .. } if name == wait.name);
        if is_late
            && facts.troubles.calm(life.asked.client, prompt)
            && facts.servers.always_served(prompt)
            && !facts.servers.forgot_within(prompt)
            && !facts.was_forced(wait.holder)
            && !facts.history.events.iter().any(resized)
        {
            let text = format!("{} loses its place in the queue of {}", life.op(), wait.name);
            report.add(Invariant::Fifo, left, [life.op()], text);
        }
    }
}

fn queue(record: &Record) -> impl Iterator<Item = HolderId> {
    record
        .waiters
        .iter()
        .filter(|waiter| waiter.queues)
        .map(|waiter| waiter.holder)
}

/// A waiter that still waits although one that came later is served, and who that is.
fn passed(facts: &Facts<'_>, turn: &Turn<'_>, before: &Record) -> Option<(HolderId, HolderId)> {
    let first = queue(turn.after).next()?;
    let place = queue(before).position(|holder| holder == first)?;
    let served = turn.arrived.iter().map(|stay| facts.records.stays[*stay].holder);
    let ahead = |holder: &HolderId| queue(before).take(place).any(|other| other == *holder);
    served
        .into_iter()
        .find(|holder| !ahead(holder))
        .filter(|_| !may_have_been_gone(facts, turn, first))
        .map(|holder| (first, holder))
}

/// Whether a waiter may have lost its place because nothing was heard of it for its patience.
fn may_have_been_gone(facts: &Facts<'_>, turn: &Turn<'_>, holder: HolderId) -> bool {
    let waiter = turn.after.waiters.iter().find(|waiter| waiter.holder == holder);
    let Some(client) = waiter.and_then(|waiter| waiter.client) else {
        return false;
    };
    let shortest = facts
        .of_name(&turn.after.name)
        .map(|life| patience(life.asked.ttl))
        .min();
    let silence = Span::new(turn.at.saturating_sub(shortest.unwrap_or_default()), turn.at);
    !facts.troubles.calm(client, silence)
}

/// A waiter behind one that it was ahead of, and who that is.
fn displaced(before: &Record, after: &Record) -> Option<(HolderId, HolderId)> {
    let place = |holder: HolderId| queue(before).position(|other| other == holder);
    // Who was not there before has come to the end.
    let places: Vec<(usize, HolderId)> = queue(after)
        .map(|one| (place(one).unwrap_or(usize::MAX), one))
        .collect();
    let pair = places.windows(2).find(|pair| pair[0].0 > pair[1].0)?;
    Some((pair[1].1, pair[0].1))
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    const QUEUE: &str = "0 ask 1 by 1
         0 ask 2 by 2
         0 ask 3 by 3
         5 record hold=1/5/0/3005
         10 grant 1 token=5
         15 record hold=1/5/0/3005 wait=2
         16 record hold=1/5/0/3005 wait=2 wait=3
         20 return 1";

    #[test]
    fn a_waiter_that_is_passed_is_caught() {
        let report = story(&format!("{QUEUE}\n25 record hold=3/6/0/2025 wait=2"));

        assert_eq!(report.broken(), [Invariant::Fifo]);
    }

    #[test]
    fn a_newcomer_that_is_served_before_a_waiter_is_caught() {
        let report = story(&format!(
            "{QUEUE}\n25 ask 4 by 4\n25 record hold=4/6/0/3025 wait=2 wait=3"
        ));

        assert_eq!(report.broken(), [Invariant::Fifo]);
    }

    #[test]
    fn a_waiter_that_loses_its_place_to_a_newcomer_is_caught() {
        let report = story(&format!(
            "{QUEUE}\n25 record hold=2/6/0/2025 wait=3\n25 ask 4 by 4\n26 record hold=2/6/0/2025 wait=4 wait=3"
        ));

        assert_eq!(report.broken(), [Invariant::Fifo]);
    }

    #[test]
    fn a_dead_waiter_that_is_dropped_is_not_passed() {
        let report = story(&format!("{QUEUE}\n25 record hold=3/6/0/2025"));

        assert_eq!(report.broken(), []);
    }

    #[test]
    fn a_waiter_that_loses_its_place_is_caught() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             15 record hold=1/5/0/3005 wait=2
             20 record hold=1/5/0/3005
             1000 return 1
             1001 record hold=2/6/0/4001
             1002 grant 2 token=6
             1003 return 2
             1004 record",
        );

        assert_eq!(report.broken(), [Invariant::Fifo]);
    }
}
