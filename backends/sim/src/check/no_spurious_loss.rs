//! A loss has a reason.

use std::time::Duration;

use semafence::LossReason;

use crate::check::bounds::notice;
use crate::check::facts::Facts;
use crate::check::life::{Granted, Life};
use crate::check::span::Span;
use crate::check::{Invariant, Report};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for life in facts.lives.values() {
        let (Some((at, reason)), Some(grant)) = (life.lost, life.grant) else {
            continue;
        };
        if !is_explained(facts, life, grant, at, reason) {
            let text = format!(
                "{} loses its permit of {} and nothing explains it: {reason}",
                life.op(),
                life.name()
            );
            report.add(Invariant::NoSpuriousLoss, at, [life.op()], text);
        }
    }
}

fn is_explained(facts: &Facts<'_>, life: &Life<'_>, grant: Granted<'_>, at: Duration, reason: LossReason) -> bool {
    match reason {
        LossReason::Closed => true,
        LossReason::Forced => facts.was_forced(grant.holder),
        // That the lease is gone is explained elsewhere, or not.
        LossReason::Forgotten if facts.has_records() && !has_lease(facts, grant, at) => true,
        _ => is_disturbed(facts, life, at),
    }
}

fn has_lease(facts: &Facts<'_>, grant: Granted<'_>, at: Duration) -> bool {
    let mut leases = facts
        .records
        .of(grant.holder)
        .filter(|stay| facts.servers.serves(stay.server, at));
    leases.any(|stay| stay.span.contains(at))
}

/// Whether its client was calm for shorter than a refresh needs.
fn is_disturbed(facts: &Facts<'_>, life: &Life<'_>, at: Duration) -> bool {
    let lately = Span::new(at.saturating_sub(notice(life.asked)), at);
    !facts.troubles.calm(life.asked.client, lately)
        || facts.servers.forgot_within(lately)
        || facts.servers.split_within(lately)
        || !facts.servers.always_served(lately)
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn a_loss_without_a_reason_is_caught() {
        let report = story(
            "0 ask 1 by 1
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             2970 lose 1",
        );

        assert_eq!(report.broken(), [Invariant::NoSpuriousLoss]);
    }

    #[test]
    fn a_fault_that_was_over_in_time_for_a_refresh_is_no_reason() {
        let loss = |calmed: u64| {
            format!(
                "0 ask 1 by 1 ttl=3000 refresh=1000
                 5 record hold=1/5/0/3005
                 10 grant 1 token=5
                 20 disturb 1 network
                 {calmed} calm 1
                 2970 lose 1"
            )
        };

        assert_eq!(story(&loss(900)).broken(), [Invariant::NoSpuriousLoss]);
        assert_eq!(story(&loss(1500)).broken(), []);
    }

    #[test]
    fn only_an_operator_takes_by_force() {
        let loss = |forced: &str| {
            format!(
                "0 ask 1 by 1
                 10 grant 1 token=5
                 {forced}
                 1000 lose 1 forced"
            )
        };

        assert_eq!(story(&loss("")).broken(), [Invariant::NoSpuriousLoss]);
        assert_eq!(story(&loss("900 force 1")).broken(), []);
    }
}
