//! A permit that is handed over is taken at once, and kept for one window for somebody who cannot take it.

use std::time::Duration;

use crate::check::bounds::{IN_FLIGHT, PROMPT, ROUNDING, late, operation, patience, window};
use crate::check::facts::Facts;
use crate::check::records::Stay;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::Trouble;

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for stay in facts.records.stays.iter().filter(|stay| stay.waited) {
        let at = stay.span.from;
        let asked = || facts.of_name(stay.name).map(|life| life.asked);
        let ttl = asked().map(|asked| asked.ttl).max().unwrap_or_default();
        let late = asked().map(late).max().unwrap_or_default();
        let latest = at + window(ttl) + late + ROUNDING;
        if stay.first_ends > latest && is_absent(facts, stay, operation(ttl)) {
            let text = format!(
                "{} of {} is handed to a dead client for longer than a window",
                stay.holder, stay.name
            );
            report.add(Invariant::HandOver, at, [], text);
        }
        if is_long_dead(facts, stay, patience(ttl) + IN_FLIGHT, late) {
            let text = format!(
                "{} of {} is handed to a client that is long dead",
                stay.holder, stay.name
            );
            report.add(Invariant::HandOver, at, [], text);
        }
        check_taken(facts, report, stay);
    }
}

/// Whether its client had been dead for longer than its patience, and no message of it can have come late.
fn is_long_dead(facts: &Facts<'_>, stay: &Stay<'_>, patience: Duration, late: Duration) -> bool {
    let (at, client) = (stay.span.from, stay.client);
    let Some((client, process)) = client.and_then(|client| Some((client, facts.process(client)?))) else {
        return false;
    };
    let died = process.died.filter(|died| *died + patience + late < at);
    died.is_some_and(|died| {
        let since = Span::new(died.saturating_sub(patience), at);
        !facts.troubles.befell(Trouble::Network, client, since)
            && !facts.troubles.befell_all(Trouble::Clock, since)
            && !facts.servers.forgot_within(since)
            && facts.time_goes_on(stay.name, late, Span::new(died, at))
    })
}

/// Whoever is handed a permit is told, and has it at once, or as soon as replicas that lag have acknowledged it.
fn check_taken(facts: &Facts<'_>, report: &mut Report, stay: &Stay<'_>) {
    let Some((life, grant)) = facts.granted_to(stay.holder) else {
        return;
    };
    let (at, client) = (stay.span.from, life.asked.client);
    let lately = at.saturating_sub(life.asked.ttl);
    let acknowledged = if facts.troubles.lagged(Span::new(lately, at + PROMPT)) {
        life.asked.acks_timeout
    } else {
        Duration::ZERO
    };
    let prompt = Span::new(lately, at + PROMPT + acknowledged);
    let is_late = grant.token == stay.token && grant.at > prompt.until;
    if is_late && facts.troubles.calm(client, prompt) && facts.servers.always_served(prompt) {
        let text = format!("{} is handed a permit of {} and is not told", life.op(), stay.name);
        report.add(Invariant::HandOver, prompt.until, [life.op()], text);
    }
}

/// Whether its client cannot have asked for it: it stood still or was dead, and no message of it was on its way.
fn is_absent(facts: &Facts<'_>, stay: &Stay<'_>, operation: Duration) -> bool {
    let (at, Some(client)) = (stay.span.from, stay.client) else {
        return false;
    };
    let Some(process) = facts.process(client) else {
        return false;
    };
    let quiet_since = at.saturating_sub(IN_FLIGHT);
    let lately = Span::new(quiet_since.saturating_sub(operation), at);
    let pause = process
        .pauses
        .iter()
        .any(|pause| pause.from <= quiet_since && pause.until > at);
    let dead = process.died.is_some_and(|died| died <= quiet_since);
    (pause || dead)
        && !facts.troubles.befell(Trouble::Network, client, lately)
        && !facts.troubles.befell_all(Trouble::Clock, lately)
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    fn handed(until: u64) -> Vec<Invariant> {
        let text = format!(
            "0 ask 1 by 1 ttl=30000
             0 ask 2 by 2 ttl=30000
             5 record hold=1/5/0/30005
             10 grant 1 token=5
             15 record hold=1/5/0/30005 wait=2
             1000 die 2
             2000 return 1
             2005 record hold=2/6/0/{until}"
        );
        story(&text).broken()
    }

    #[test]
    fn a_full_ttl_for_a_dead_waiter_is_caught() {
        assert_eq!(handed(32_005), [Invariant::HandOver]);
    }

    #[test]
    fn a_window_for_a_dead_waiter_is_fine() {
        assert_eq!(handed(4005), []);
    }

    fn told(at: u64, fault: &str) -> Vec<Invariant> {
        let text = format!(
            "0 ask 1 by 1
             0 ask 2 by 2
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             15 record hold=1/5/0/3005 wait=2
             {fault}
             1000 return 1
             1001 record hold=2/6/0/3001
             {at} grant 2 token=6
             {at} return 2
             {at} record"
        );
        story(&text).broken()
    }

    #[test]
    fn a_waiter_that_is_not_told_of_its_permit_is_caught() {
        assert_eq!(told(1600, ""), [Invariant::HandOver]);
        assert_eq!(told(1400, ""), []);
    }

    #[test]
    fn a_message_that_a_fault_may_have_lost_is_no_defect() {
        assert_eq!(told(1600, "900 disturb 1 network client=2"), []);
    }

    #[test]
    fn a_permit_that_a_slow_replica_acknowledges_is_told_later() {
        let told = |fault: &str| {
            let text = format!(
                "0 ask 1 by 1
                 0 ask 2 by 2 acks=1 for=500
                 5 record hold=1/5/0/3005
                 10 grant 1 token=5
                 15 record hold=1/5/0/3005 wait=2
                 {fault}
                 1000 return 1
                 1001 record hold=2/6/0/3001
                 1600 grant 2 token=6 acks=1
                 1600 return 2
                 1600 record"
            );
            story(&text).broken()
        };

        assert_eq!(told(""), [Invariant::HandOver]);
        assert_eq!(told("900 disturb 1 lag"), []);
    }

    #[test]
    fn a_permit_for_somebody_long_dead_is_caught() {
        let handed = |at: u64| {
            let text = format!(
                "0 ask 1 by 1 ttl=1000
                 0 ask 2 by 2 ttl=1000
                 5 record hold=1/5/0/30005
                 10 grant 1 token=5
                 15 record hold=1/5/0/30005 wait=2
                 1000 die 2
                 {at} return 1
                 {at} record hold=2/6/0/{}",
                at + 1000
            );
            story(&text).broken()
        };

        assert!(handed(6000).contains(&Invariant::HandOver));
        assert!(!handed(3000).contains(&Invariant::HandOver));
    }
}
