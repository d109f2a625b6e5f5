//! Whoever waits is answered.

use std::time::Duration;

use crate::check::bounds::{SLACK, operation};
use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::{End, Patience, Trouble, What};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    let quiesced = facts.history.events.iter().find(|event| event.what == What::Quiesced);
    let quiesced = quiesced.map(|event| event.at);
    for life in facts.lives.values() {
        match life.asked.patience {
            Patience::Endless => check_endless(facts, report, life, quiesced),
            // Whoever waits for a while gives up waiting for replicas with the rest.
            Patience::None => check_within(facts, report, life, for_replicas(life)),
            Patience::Timed(time) => {
                check_within(facts, report, life, time);
                check_not_early(facts, report, life, time);
            }
        }
    }
}

fn check_endless(facts: &Facts<'_>, report: &mut Report, life: &Life<'_>, quiesced: Option<Duration>) {
    let Some(quiesced) = quiesced else { return };
    let is_served = life.answered().is_some_and(|answered| answered <= quiesced);
    // Where the clock of a server went back, a lease that nobody gives back lasts as much longer.
    let before = Span::new(Duration::ZERO, quiesced);
    let clock = facts.troubles.befell_all(Trouble::Clock, before);
    if !is_served && !clock {
        complain(report, life, quiesced, "is not served in the end");
    }
}

fn check_within(facts: &Facts<'_>, report: &mut Report, life: &Life<'_>, time: Duration) {
    let latest = life.asked_at + time + drift(time) + operation(life.asked.ttl) + SLACK;
    let answered = life.answered().unwrap_or(facts.end);
    let waited = Span::new(life.asked_at, answered);
    let process = &facts.processes[&life.asked.client];
    if answered > latest + process.paused(waited) && has_right_clock(facts, life, waited) {
        complain(report, life, latest, "waits longer than it said");
    }
}

/// How long a try waits for replicas at most.
fn for_replicas(life: &Life<'_>) -> Duration {
    match life.asked.acks_timeout {
        Duration::ZERO => Duration::ZERO,
        timeout => timeout * 5 / 4 + operation(life.asked.ttl),
    }
}

fn check_not_early(facts: &Facts<'_>, report: &mut Report, life: &Life<'_>, time: Duration) {
    let Some((at, End::TimedOut)) = life.ended else { return };
    let waited = Span::new(life.asked_at, at);
    if at - life.asked_at + drift(time) < time && has_right_clock(facts, life, waited) {
        complain(report, life, at, "is told too early that its time is up");
    }
}

fn has_right_clock(facts: &Facts<'_>, life: &Life<'_>, span: Span) -> bool {
    !facts.troubles.befell(Trouble::Clock, life.asked.client, span)
}

/// By how much a clock may be wrong within the drift allowance.
fn drift(time: Duration) -> Duration {
    time / 100 + Duration::from_millis(5)
}

fn complain(report: &mut Report, life: &Life<'_>, at: Duration, how: &str) {
    let text = format!("{} on {} {how}", life.title(), life.name());
    report.add(Invariant::Served, at, [life.op()], text);
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn a_waiter_that_is_never_served_is_caught() {
        assert_eq!(
            story("0 ask 1 by 1\n9000 heal\n9900 quiesce").broken(),
            [Invariant::Served]
        );
        assert_eq!(story("0 ask 1 by 1\n9000 heal\n9900 resize").broken(), []);
        assert_eq!(story("0 ask 1 by 1\n9 die 1\n9000 heal\n9900 quiesce").broken(), []);
    }

    #[test]
    fn a_try_may_wait_for_replicas_as_long_as_it_said() {
        let tries = |end: &str| story(&format!("0 ask 1 by 1 wait=none ttl=600 acks=1 for=100\n{end}")).broken();

        assert_eq!(tries("900 timeout 1"), [Invariant::Served]);
        assert_eq!(tries("400 busy 1"), []);
        assert_eq!(
            story("0 ask 1 by 1 wait=none ttl=600\n400 busy 1").broken(),
            [Invariant::Served]
        );
    }

    #[test]
    fn a_timed_wait_ends_in_time() {
        let waits = |end: &str| story(&format!("0 ask 1 by 1 wait=1000 ttl=600\n{end}")).broken();

        assert_eq!(waits("1300 timeout 1"), [Invariant::Served]);
        assert_eq!(waits("900 timeout 1"), [Invariant::Served]);
        assert_eq!(waits("1100 timeout 1"), []);
        assert_eq!(waits("500 pause 1\n3000 resume 1\n3000 timeout 1"), []);
    }
}
