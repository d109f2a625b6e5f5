//! In the end nothing is left.

use std::time::Duration;

use semafence::HolderId;

use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::{Record, ServerId, Trouble, Waiter, What};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    if !facts.history.events.iter().any(|event| event.what == What::Quiesced) {
        return;
    }
    for ((server, name), current) in &facts.records.current {
        let so_far = Span::new(Duration::ZERO, facts.end);
        if !facts.servers.serves(*server, facts.end) || facts.troubles.befell_all(Trouble::Clock, so_far) {
            continue;
        }
        if let Some(holder) = left(facts, *server, name, current.record) {
            let text = format!("{holder} is left on server {server} of {name}");
            report.add(Invariant::NothingLeft, facts.end, [], text);
        }
    }
}

/// Somebody who holds or waits in the end.
fn left<'a>(facts: &Facts<'a>, server: ServerId, name: &'a str, record: &Record) -> Option<HolderId> {
    let lives = |client: Option<u32>| {
        let process = client.and_then(|client| facts.process(client));
        process.is_none_or(|process| process.died.is_none())
    };
    let leases = record
        .holders
        .iter()
        .filter(|lease| lease.ends > facts.end && lives(lease.client));
    // A server that took over remembers places that were left before, until somebody asks for the name.
    let reigns = facts
        .servers
        .reigns
        .iter()
        .filter(|reign| reign.server == server && reign.epoch > 0);
    let took_over = reigns.map(|reign| reign.span.from).max();
    let is_remembered = |waiter: &&Waiter| {
        let asked = facts.candidates(waiter.holder, waiter.client, name, facts.end);
        let is_past = |life: &&Life<'_>| life.over().is_some_and(|over| Some(over) <= took_over);
        !asked.is_empty() && asked.iter().all(is_past)
    };
    let waiters = record.waiters.iter().filter(|waiter| lives(waiter.client));
    let waiters = waiters.filter(|waiter| !is_remembered(waiter));
    let mut left = leases
        .map(|lease| lease.holder)
        .chain(waiters.map(|waiter| waiter.holder));
    left.next()
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    fn ends(fault: &str, end: u64) -> Vec<Invariant> {
        let text = format!(
            "0 ask 1 by 1
             0 disturb 1 network
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             {fault}
             400 heal
             500 return 1
             {end} quiesce"
        );
        story(&text).broken()
    }

    #[test]
    fn a_lease_that_is_left_is_caught() {
        assert_eq!(ends("", 1000), [Invariant::NothingLeft]);
        assert_eq!(ends("", 3005), []);
        assert_eq!(ends("100 die 1", 1000), []);
    }
}
