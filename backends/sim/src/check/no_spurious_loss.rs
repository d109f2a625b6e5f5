//! A loss has a reason.

use std::time::Duration;

use semafence::LossReason;

use crate::check::bounds::{again, notice};
use crate::check::facts::Facts;
use crate::check::life::{Granted, Life};
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::Trouble;

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
        LossReason::Forgotten if facts.is_taken_in(life, at) && !are_clocks_apart(facts, at) => false,
        // That the lease is gone is explained elsewhere, or not.
        LossReason::Forgotten if facts.has_records() && !has_lease(facts, grant, at) => true,
        // Errors of the network are no refusals.
        LossReason::Refused => facts
            .troubles
            .befell(Trouble::Refusal, life.asked.client, lately(life, at)),
        LossReason::Expired => is_disturbed(facts, life, at) && !had_time(facts, life, at),
        _ => is_disturbed(facts, life, at),
    }
}

/// Whether the clocks of servers are apart: then its token may be ahead of the base of the server that took over, which
/// does not take it in.
fn are_clocks_apart(facts: &Facts<'_>, at: Duration) -> bool {
    facts.troubles.befell_all(Trouble::Clock, Span::new(Duration::ZERO, at))
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
    let lately = lately(life, at);
    !facts.troubles.calm(life.asked.client, lately)
        || facts.servers.forgot_within(lately)
        || facts.servers.split_within(lately)
        || !facts.servers.always_served(lately)
}

fn lately(life: &Life<'_>, at: Duration) -> Span {
    Span::new(at.saturating_sub(notice(life.asked)), at)
}

/// Whether faults had ceased for so long that a refresh which was sent again got through.
fn had_time(facts: &Facts<'_>, life: &Life<'_>, at: Duration) -> bool {
    let needs = again(life.asked.ttl, life.asked.refresh_interval);
    let since = at.saturating_sub(needs);
    let span = Span::new(since, at);
    facts.troubles.quiet_from(life.asked.client, since, needs) == since
        && facts.servers.always_served(span)
        && !facts.servers.forgot_within(span)
        // The master of a split may have no replica for a while, and refuse.
        && !facts.servers.split_within(Span::new(at.saturating_sub(life.asked.ttl * 2), at))
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
    fn a_fault_that_did_no_more_in_time_for_a_second_refresh_is_no_reason() {
        let loss = |ceased: u64| {
            format!(
                "0 ask 1 by 1 ttl=3000 refresh=1000
                 5 record hold=1/5/0/3005
                 10 grant 1 token=5
                 900 disturb 1 network
                 {ceased} cease 1
                 2970 lose 1"
            )
        };

        assert_eq!(story(&loss(1100)).broken(), [Invariant::NoSpuriousLoss]);
        assert_eq!(story(&loss(2000)).broken(), []);
    }

    #[test]
    fn only_a_server_that_refuses_is_a_reason_for_a_refusal() {
        let loss = |trouble: &str| {
            format!(
                "0 ask 1 by 1
                 5 record hold=1/5/0/3005
                 10 grant 1 token=5
                 900 disturb 1 {trouble}
                 1000 lose 1 refused"
            )
        };

        assert_eq!(story(&loss("network")).broken(), [Invariant::NoSpuriousLoss]);
        assert_eq!(story(&loss("refusal")).broken(), []);
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
