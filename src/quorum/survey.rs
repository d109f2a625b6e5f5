//! What several servers know of a name or a namespace, as one.

use std::collections::{BTreeMap, BTreeSet};

use super::answers::{Answers, median};
use crate::backend::Added;
use crate::holder::HolderId;
use crate::name::Name;
use crate::status::{HolderStatus, Status, WaiterStatus};

/// One status of several: who holds or waits on so many servers that with those that are missing they may be a majority.
pub(super) fn merge(name: &Name, statuses: &Answers<Status>, majority: usize) -> Status {
    let missing = statuses.0.len() - statuses.given().count();
    let needed = majority.saturating_sub(missing).max(1);
    let holders = holders(statuses, needed);
    let waiters = waiters(statuses, needed);
    let listed_slots = holders.iter().map(|holder| holder.slots.len() as u64).sum();
    Status {
        name: name.clone(),
        now: statuses.median(|status| status.now),
        limit_override: statuses.median(|status| status.limit_override),
        limit_seen: statuses.median(|status| status.limit_seen),
        token: statuses.given().filter_map(|status| status.token).max(),
        holders_total: total(statuses, holders.len(), |status| {
            (status.holders.len(), status.holders_total)
        }),
        waiters_total: total(statuses, waiters.len(), |status| {
            (status.waiters.len(), status.waiters_total)
        }),
        slots_total: if statuses
            .given()
            .all(|status| status.holders.len() as u64 == status.holders_total)
        {
            listed_slots
        } else {
            statuses.median(|status| status.slots_total)
        },
        holders,
        waiters,
        grace_left: statuses.median(|status| status.grace_left),
    }
}

/// As many as are listed, unless a server lists fewer than it has.
fn total(statuses: &Answers<Status>, listed: usize, what: impl Fn(&Status) -> (usize, u64)) -> u64 {
    let is_whole = |status: &Status| {
        let (listed, total) = what(status);
        listed as u64 == total
    };
    if statuses.given().all(is_whole) {
        return listed as u64;
    }
    statuses.median(|status| what(status).1)
}

fn holders(statuses: &Answers<Status>, needed: usize) -> Vec<HolderStatus> {
    let mut found = BTreeMap::<(HolderId, &[u32]), Vec<&HolderStatus>>::new();
    for holder in statuses.given().flat_map(|status| &status.holders) {
        found.entry((holder.holder, &holder.slots)).or_default().push(holder);
    }
    let mut holders: Vec<HolderStatus> = found
        .into_values()
        .filter(|votes| votes.len() >= needed)
        .map(|votes| holder(&votes, needed))
        .collect();
    holders.sort_by_key(|holder| (holder.expires, holder.holder));
    holders
}

/// Its lease ends when too few servers keep it.
fn holder(votes: &[&HolderStatus], needed: usize) -> HolderStatus {
    let mut ends: Vec<_> = votes.iter().map(|vote| vote.expires).collect();
    ends.sort_unstable();
    HolderStatus {
        expires: ends[ends.len() - needed],
        token: votes.iter().map(|vote| vote.token).max().unwrap_or(votes[0].token),
        since: median(votes.iter().map(|vote| vote.since)).unwrap_or(votes[0].since),
        ..votes[0].clone()
    }
}

/// In the order of the middle one of their places.
fn waiters(statuses: &Answers<Status>, needed: usize) -> Vec<WaiterStatus> {
    let mut found = BTreeMap::<HolderId, Vec<(usize, &WaiterStatus)>>::new();
    for status in statuses.given() {
        for (place, waiter) in status.waiters.iter().enumerate() {
            found.entry(waiter.holder).or_default().push((place, waiter));
        }
    }
    let mut waiters: Vec<_> = found
        .into_values()
        .filter(|places| places.len() >= needed)
        .map(|places| (median(places.iter().map(|(place, _)| *place)), places[0].1.clone()))
        .collect();
    waiters.sort_by_key(|(place, waiter)| (*place, waiter.since, waiter.holder));
    waiters.into_iter().map(|(_, waiter)| waiter).collect()
}

/// The names that any of them knows.
pub(super) fn union(lists: &Answers<Vec<Name>>) -> Vec<Name> {
    let mut seen = BTreeSet::new();
    let all = lists.given().flatten();
    all.filter(|name| seen.insert((*name).clone())).cloned().collect()
}

/// What an addition came to on the middle one.
pub(super) fn added(answers: &Answers<Added>) -> Added {
    let limit = |added: &Added| match added {
        Added::Raised { limit } | Added::TooMany { limit } => *limit,
    };
    let raised = answers.given().filter(|added| matches!(added, Added::Raised { .. }));
    let is_raised = raised.count() * 2 > answers.given().count();
    let limit = answers.median(limit);
    if is_raised {
        Added::Raised { limit }
    } else {
        Added::TooMany { limit }
    }
}
