//! An error has a reason.

use std::time::Duration;

use crate::check::bounds::AFTERMATH;
use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::{End, What};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for life in facts.lives.values() {
        if let Some((at, End::Failed(error))) = life.ended {
            judge(facts, report, life, Span::new(life.asked_at, at), error);
        }
        if let Some((at, End::Unacknowledged)) = life.ended
            && !facts.troubles.lagged(Span::new(at.saturating_sub(AFTERMATH), at))
        {
            judge(
                facts,
                report,
                life,
                Span::new(life.asked_at, at),
                "too few replicas confirm",
            );
        }
        if let Some((at, Err(error))) = life.returned {
            judge(facts, report, life, Span::new(life.returning.unwrap_or(at), at), error);
        }
    }
}

fn judge(facts: &Facts<'_>, report: &mut Report, life: &Life<'_>, call: Span, error: &str) {
    let lately = Span::new(call.from.saturating_sub(AFTERMATH), call.until);
    let explained = !facts.troubles.calm(life.asked.client, lately)
        || !facts.servers.always_served(lately)
        || facts.servers.forgot_within(lately)
        || was_operated(facts, life.name(), call.until)
        || was_left_behind(facts, life, call.until, error);
    if !explained {
        let text = format!(
            "{} on {} fails and nothing explains it: {error}",
            life.op(),
            life.name()
        );
        report.add(Invariant::NoUnexplainedError, call.until, [life.op()], text);
    }
}

/// Whether an operator may have done something to the name; what an operator does is told when it is done.
fn was_operated(facts: &Facts<'_>, name: &str, until: Duration) -> bool {
    let before = facts
        .history
        .events
        .iter()
        .take_while(|event| event.at <= until + AFTERMATH);
    let mut operated = before.filter_map(|event| match &event.what {
        What::Forced { name, .. } | What::Resized { name, .. } => Some(name),
        _ => None,
    });
    operated.any(|operated| operated == name)
}

/// Whether a client that has not spoken since a failover, and was deaf to it, is told now that its server is a replica.
/// It learns from that: only once after each failover.
fn was_left_behind(facts: &Facts<'_>, life: &Life<'_>, at: Duration, error: &str) -> bool {
    let told = |error: &str| error.contains("READONLY");
    let promoted = facts.servers.reigns.iter().map(|reign| reign.span.from);
    let Some(last) = promoted.filter(|from| !from.is_zero() && *from <= at).max() else {
        return false;
    };
    let learned = facts.of_client(life.asked.client, life.name()).any(|other| {
        matches!(&other.ended, Some((when, End::Failed(error)))
            if told(error) && *when > last && *when + AFTERMATH < at)
    });
    told(error) && !learned
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn an_error_that_no_fault_explains_is_caught() {
        let fails = |fault: &str| story(&format!("{fault}\n9000 ask 1 by 1\n9500 fail 1")).broken();

        assert_eq!(fails(""), [Invariant::NoUnexplainedError]);
        assert_eq!(
            fails("8000 disturb 1 network client=2"),
            [Invariant::NoUnexplainedError]
        );
        assert_eq!(fails("8000 disturb 1 network client=1"), []);
        assert_eq!(fails("5 record\n8000 demote 0"), []);
    }

    #[test]
    fn only_a_replica_that_lags_or_a_fault_explains_that_too_few_confirm() {
        let ends = |fault: &str| story(&format!("{fault}\n9000 ask 1 by 1\n9500 unacknowledged 1")).broken();

        assert_eq!(ends(""), [Invariant::NoUnexplainedError]);
        assert_eq!(ends("8000 disturb 1 lag"), []);
        assert_eq!(ends("5 record\n8000 demote 0"), []);
    }

    #[test]
    fn a_release_that_fails_for_no_reason_is_caught() {
        let report = story("0 ask 1 by 1\n5 grant 1 token=5\n9 return 1\n20 returned 1 error");

        assert_eq!(report.broken(), [Invariant::NoUnexplainedError]);
    }

    #[test]
    fn a_client_that_missed_a_failover_is_told_once_that_its_server_is_a_replica() {
        let told = |times: &[u64]| {
            let fails: Vec<String> = times
                .iter()
                .enumerate()
                .map(|(op, at)| format!("{at} ask {op} by 1\n{} fail {op} READONLY", at + 1))
                .collect();
            story(&format!(
                "5 record server=0\n1000 demote 0\n1000 promote 1 epoch=1\n{}",
                fails.join("\n")
            ))
            .broken()
        };

        assert_eq!(told(&[20_000]), []);
        assert_eq!(told(&[20_000, 20_010]), []);
        assert_eq!(told(&[20_000, 30_000]), [Invariant::NoUnexplainedError]);
    }
}
