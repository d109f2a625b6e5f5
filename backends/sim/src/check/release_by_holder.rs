//! A release answers what is so.

use std::collections::BTreeSet;
use std::time::Duration;

use semafence::Standing;

use crate::check::bounds::{ROUNDING, operation};
use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::What;

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    check_once(facts, report);
    for life in facts.lives.values() {
        let Some((at, Ok(standing))) = life.returned else {
            continue;
        };
        let lost = life.lost.is_some_and(|(lost, _)| lost <= at);
        let how = match standing {
            Standing::Held | Standing::Waiting if lost => "answers held after the loss was told",
            Standing::Absent if !lost && must_have_held(facts, life) => "answers absent although the lease is there",
            Standing::Waiting => "answers that the permit waits",
            _ => continue,
        };
        report.add(
            Invariant::ReleaseByHolder,
            at,
            [life.op()],
            format!("the release of {} {how}", life.op()),
        );
    }
}

fn check_once(facts: &Facts<'_>, report: &mut Report) {
    let mut seen = BTreeSet::new();
    for event in &facts.history.events {
        if let What::Returned { op, .. } = event.what
            && !seen.insert(op)
        {
            let text = format!("the release of {op} answers twice");
            report.add(Invariant::ReleaseByHolder, event.at, [op], text);
        }
    }
}

/// Whether its lease was there when the release began, and nothing disturbed it.
fn must_have_held(facts: &Facts<'_>, life: &Life<'_>) -> bool {
    let (Some(from), Some((until, _)), Some(grant)) = (life.returning, life.returned, life.grant) else {
        return false;
    };
    let around = Span::new(from.saturating_sub(operation(life.asked.ttl)), until);
    let has_lease = |at| facts.records.of(grant.holder).any(|stay| stay.span.contains(at));
    let outlasts = has_lease(from) && lease_end(facts, life) > from + ROUNDING;
    outlasts
        && facts.troubles.calm(life.asked.client, around)
        && !facts.was_forced(grant.holder)
        && !facts.servers.forgot_within(around)
        && !facts.servers.split_within(around)
        && facts.servers.always_served(around)
}

/// When its lease would have ended, had it not been released.
fn lease_end(facts: &Facts<'_>, life: &Life<'_>) -> Duration {
    let asked_at = facts.home(life).map_or(life.asked_at, |home| home.at);
    asked_at + life.asked.ttl
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    fn released(end: &str) -> Vec<Invariant> {
        let text = format!(
            "0 ask 1 by 1
             0 disturb 1 refusal client=1
             1 calm 1
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             {end}"
        );
        story(&text).broken()
    }

    #[test]
    fn held_is_no_answer_after_a_loss() {
        let after_loss = |answer: &str| {
            released(&format!(
                "500 lose 1 closed\n505 record\n510 return 1\n520 returned 1 {answer}"
            ))
        };

        assert_eq!(after_loss("held"), [Invariant::ReleaseByHolder]);
        assert_eq!(after_loss("absent"), []);
    }

    #[test]
    fn absent_is_no_answer_for_a_lease_that_is_there() {
        let release = |answer: &str| released(&format!("1510 return 1\n1515 record\n1520 returned 1 {answer}"));

        assert_eq!(release("absent"), [Invariant::ReleaseByHolder]);
        assert_eq!(release("held"), []);
    }

    #[test]
    fn one_release_has_one_answer() {
        let twice = "1510 return 1\n1515 record\n1520 returned 1 held\n1530 returned 1 absent";

        assert_eq!(released(twice), [Invariant::ReleaseByHolder]);
    }
}
