//! The standard models: mutex, fenced mutex, N permits.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use semafence::FencingToken;

use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::{Invariant, Violation};
use crate::history::{History, Op, Trouble, What};

/// Whether the history of each name is one of N permits whose tokens grow: whether every acquire and release can be
/// given a moment between its invocation and its return such that, one after another, no more than N permits are out and
/// each token is larger than the one before. With a limit of one that is the fenced mutex, and without its tokens the
/// mutex.
///
/// In general this is a search (Wing and Gong; Lowe, *Testing for linearizability*, 2017). Here every acquire carries
/// its place in the order, its token; and a release may come as early as it was invoked, since that hinders nobody. So one
/// pass decides it, in O(n log n), and no crate is needed that searches.
///
/// A permit that is lost, taken by force, or whose client dies is released from then on, at whatever time; one whose
/// client stands still, from when that begins. Histories in which a server lost data, two servers served at once, or a
/// clock was off are not judged: their guarantees are weaker.
///
/// # Errors
///
/// The first acquire that has no such moment.
pub fn linearizable(history: &History) -> Result<(), Violation> {
    let facts = Facts::of(history);
    if is_lossy(&facts) {
        return Ok(());
    }
    let permits = permits(&facts);
    facts
        .by_name
        .keys()
        .try_for_each(|name| check_name(&facts, name, permits.get(name).copied().unwrap_or(0)))
}

fn is_lossy(facts: &Facts<'_>) -> bool {
    let clock = facts.history.events.iter().any(|event| match &event.what {
        What::Disturbed(fault) => fault.trouble == Trouble::Clock,
        _ => false,
    });
    clock || !facts.servers.forgets.is_empty() || !facts.servers.splits.is_empty()
}

/// How many permits each name has: the largest limit that was ever in force.
fn permits<'a>(facts: &Facts<'a>) -> BTreeMap<&'a str, u32> {
    let mut permits: BTreeMap<&str, u32> = BTreeMap::new();
    for event in &facts.history.events {
        let (name, limit) = match &event.what {
            What::Asked(asked) => (&asked.name, Some(asked.limit)),
            What::Resized { name, limit } => (name, *limit),
            What::Record(record) => (&record.name, record.limit),
            _ => continue,
        };
        let known = permits.entry(name).or_default();
        *known = limit.unwrap_or(0).max(*known);
    }
    permits
}

/// An acquire that returned a permit.
struct Acquire {
    op: Op,
    token: FencingToken,
    weight: usize,
    asked_at: Duration,
    returned_at: Duration,
    over: Option<Duration>,
}

fn acquire(facts: &Facts<'_>, life: &Life<'_>) -> Option<Acquire> {
    let grant = life.grant?;
    let ends = [life.over(), facts.forced_at(grant.holder), stood_still(facts, life)];
    Some(Acquire {
        op: life.op(),
        token: grant.token,
        weight: grant.slots.len(),
        asked_at: life.asked_at,
        returned_at: grant.at,
        over: ends.into_iter().flatten().min(),
    })
}

/// When its client first came to a stop: the lease may have ended in its sleep.
fn stood_still(facts: &Facts<'_>, life: &Life<'_>) -> Option<Duration> {
    let belief = life.belief?;
    let pauses = facts.process(life.asked.client)?.pauses.iter();
    pauses.map(|pause| pause.from).find(|from| belief.contains(*from))
}

fn check_name(facts: &Facts<'_>, name: &str, permits: u32) -> Result<(), Violation> {
    let mut acquires: Vec<Acquire> = facts.of_name(name).filter_map(|life| acquire(facts, life)).collect();
    acquires.sort_by_key(|acquire| acquire.token);
    let mut model = Model::new(permits as usize);
    acquires.iter().try_for_each(|acquire| model.take(name, acquire))
}

/// N permits, at the earliest moment that the operations so far allow.
struct Model {
    now: Duration,
    free: usize,
    releases: BinaryHeap<Reverse<(Duration, usize)>>,
}

impl Model {
    fn new(permits: usize) -> Self {
        Self {
            now: Duration::ZERO,
            free: permits,
            releases: BinaryHeap::new(),
        }
    }

    fn take(&mut self, name: &str, acquire: &Acquire) -> Result<(), Violation> {
        self.now = self.now.max(acquire.asked_at);
        while self.free < acquire.weight {
            let Some(Reverse((at, weight))) = self.releases.pop() else {
                return Err(violation(name, acquire));
            };
            self.now = self.now.max(at);
            self.free += weight;
        }
        if self.now > acquire.returned_at {
            return Err(violation(name, acquire));
        }
        self.free -= acquire.weight;
        if let Some(over) = acquire.over {
            self.releases.push(Reverse((over, acquire.weight)));
        }
        Ok(())
    }
}

fn violation(name: &str, acquire: &Acquire) -> Violation {
    let op = acquire.op;
    Violation {
        at: acquire.returned_at,
        invariant: Invariant::Linearizable,
        text: format!("no moment is right for the acquire of {op} on {name}"),
        ops: vec![op],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::story::history;

    fn judge(text: &str) -> Option<Vec<Op>> {
        linearizable(&history(text)).err().map(|violation| violation.ops)
    }

    #[test]
    fn a_mutex_that_two_hold_is_caught() {
        let held = |released: u64| {
            judge(&format!(
                "0 ask 1 by 1\n0 ask 2 by 2\n10 grant 1 token=5\n20 grant 2 token=6\n{released} return 1\n90 return 2"
            ))
        };

        assert_eq!(held(30), Some(vec![2]));
        assert_eq!(held(20), None);
    }

    #[test]
    fn a_token_that_goes_back_is_caught() {
        let tokens = |second: u64| {
            judge(&format!(
                "0 ask 1 by 1\n10 grant 1 token=5\n20 return 1\n30 ask 2 by 2\n40 grant 2 token={second}\n50 return 2"
            ))
        };

        assert_eq!(tokens(4), Some(vec![1]));
        assert_eq!(tokens(6), None);
    }

    #[test]
    fn two_of_two_permits_are_out_at_once_and_not_three() {
        let two = "0 ask 1 by 1 limit=2\n0 ask 2 by 2 limit=2\n0 ask 3 by 3 limit=2
             10 grant 1 token=5 slots=0\n10 grant 2 token=6 slots=1";

        assert_eq!(judge(two), None);
        assert_eq!(judge(&format!("{two}\n20 grant 3 token=7 slots=0")), Some(vec![3]));
    }
}
