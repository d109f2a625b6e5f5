//! In the end nothing is left.

use semafence::HolderId;

use crate::check::facts::Facts;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::{Record, Trouble, What};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    if !facts.history.events.iter().any(|event| event.what == What::Quiesced) {
        return;
    }
    for ((server, name), current) in &facts.records.current {
        let now = Span::new(facts.end, facts.end);
        if !facts.servers.serves(*server, facts.end) || facts.troubles.befell_all(Trouble::Clock, now) {
            continue;
        }
        // A server that took over remembers places that were left; nobody has asked for the name since.
        let told = facts.records.turns.iter().rev();
        let last = told
            .filter(|turn| turn.after.server == *server && turn.after.name == *name)
            .map(|turn| turn.at)
            .next();
        let took_over = |at| {
            facts
                .servers
                .reigns
                .iter()
                .any(|reign| reign.server == *server && reign.epoch > 0 && reign.span.from >= at)
        };
        if last.is_some_and(took_over) {
            continue;
        }
        if let Some(holder) = left(facts, current.record) {
            let text = format!("{holder} is left on server {server} of {name}");
            report.add(Invariant::NothingLeft, facts.end, [], text);
        }
    }
}

/// Somebody who holds or waits in the end.
fn left(facts: &Facts<'_>, record: &Record) -> Option<HolderId> {
    let lives = |client: Option<u32>| {
        let process = client.and_then(|client| facts.process(client));
        process.is_none_or(|process| process.died.is_none())
    };
    let leases = record
        .holders
        .iter()
        .filter(|lease| lease.ends > facts.end && lives(lease.client));
    let waiters = record.waiters.iter().filter(|waiter| lives(waiter.client));
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
