//! An acquisition has one permit or one place, and keeps it.

use semafence::HolderId;

use crate::check::facts::Facts;
use crate::check::records::Turn;
use crate::check::{Invariant, Report};
use crate::history::Record;

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for turn in &facts.records.turns {
        if let Some(holder) = renamed(turn) {
            let text = format!(
                "the lease of {holder} of {} changes its token or its slots",
                turn.after.name
            );
            report.add(Invariant::OnePermitPerOp, turn.at, [], text);
        }
        if turn.arrived.is_empty() && !turn.joined {
            continue;
        }
        if let Some((client, has)) = greedy(facts, turn) {
            let text = format!(
                "client {client} has {has} leases and places of {}, and asked for fewer",
                turn.after.name
            );
            report.add(Invariant::OnePermitPerOp, turn.at, [], text);
        }
    }
}

/// A lease that runs and is not what it was.
fn renamed(turn: &Turn<'_>) -> Option<HolderId> {
    let (_, before) = turn.before.filter(|_| !turn.disrupted)?;
    let changed = turn.after.holders.iter().find(|lease| {
        let old = before
            .holders
            .iter()
            .find(|old| old.holder == lease.holder && old.ends > turn.at);
        old.is_some_and(|old| old.token != lease.token || old.slots != lease.slots)
    });
    changed.map(|lease| lease.holder)
}

/// A client that has more than it may, and how many.
fn greedy(facts: &Facts<'_>, turn: &Turn<'_>) -> Option<(u32, usize)> {
    let mut clients: Vec<u32> = entries(turn.after).collect();
    clients.sort_unstable();
    let mut rest = clients.as_slice();
    while let Some(client) = rest.first() {
        let has = rest.partition_point(|other| other == client);
        let lives = facts.of_client(*client, &turn.after.name);
        let may = lives
            .filter(|life| life.asked_at <= turn.at && turn.at <= life.gone.max(life.left))
            .count();
        if has > may {
            return Some((*client, has));
        }
        rest = &rest[has..];
    }
    None
}

/// The clients of all leases and places; several times those that have several.
fn entries(record: &Record) -> impl Iterator<Item = u32> {
    let holders = record.holders.iter().filter_map(|lease| lease.client);
    holders.chain(record.waiters.iter().filter_map(|waiter| waiter.client))
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::{history, story};
    use crate::history::What;

    #[test]
    fn an_acquisition_that_holds_and_waits_is_caught() {
        let mut history = history(
            "0 ask 1 by 1
             5 record hold=1/5/0/3005
             9 record hold=1/5/0/3005 wait=2
             10 grant 1 token=5
             20 return 1
             21 record",
        );
        for event in &mut history.events {
            if let What::Record(record) = &mut event.what {
                record.waiters.iter_mut().for_each(|waiter| waiter.client = Some(1));
            }
        }

        let report = crate::check::check(&history);

        assert_eq!(report.broken(), [Invariant::OnePermitPerOp]);
    }

    #[test]
    fn a_lease_that_gets_another_token_is_caught() {
        let report = story(
            "0 ask 1 by 1
             5 record hold=1/5/0/3005
             9 record hold=1/6/0/3009
             10 grant 1 token=6
             20 return 1
             21 record",
        );

        assert_eq!(report.broken(), [Invariant::OnePermitPerOp]);
    }

    #[test]
    fn a_client_may_ask_twice() {
        let report = story(
            "0 ask 1 by 1 limit=2
             0 ask 2 by 1 limit=2
             5 record hold=1/5/0/3005
             6 record hold=1/5/0/3005 hold=2/6/1/3006
             10 grant 1 token=5
             10 grant 2 token=6 slots=1
             20 return 1
             20 return 2
             21 record hold=2/6/1/3006
             21 record",
        );

        assert_eq!(report.broken(), []);
    }
}
