//! When each lease that is kept needs something: a refresh, a warning, or its end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Instant;
use crate::holder::HolderId;
use crate::keeper::Intervals;
use crate::lease::Lease;

/// The most leases in one refresh call.
const BATCH: usize = 512;

/// A lease that is kept.
pub(crate) struct Kept {
    pub(crate) lease: Arc<Lease>,
    intervals: Intervals,
    /// `None` while a refresh is on its way.
    refresh_at: Option<Instant>,
    warned: bool,
    failing: bool,
    next: Instant,
}

impl Kept {
    pub(crate) fn new(lease: Arc<Lease>, intervals: Intervals, asked_at: Instant) -> Self {
        let mut kept = Self {
            lease,
            intervals,
            refresh_at: Some(asked_at + intervals.refresh),
            warned: false,
            failing: false,
            next: asked_at,
        };
        kept.next = kept.first_due();
        kept
    }

    fn warn_at(&self) -> Instant {
        self.lease.deadline() - self.lease.claim.ttl / 3
    }

    fn first_due(&self) -> Instant {
        let warn_at = (!self.warned).then(|| self.warn_at());
        [self.refresh_at, warn_at]
            .into_iter()
            .flatten()
            .fold(self.lease.deadline(), Instant::min)
    }
}

/// What is due at one moment.
#[derive(Default)]
pub(crate) struct Due {
    pub(crate) lost: Vec<Arc<Lease>>,
    pub(crate) at_risk: Vec<Arc<Lease>>,
    /// Batches that go out in one call each.
    pub(crate) refresh: Vec<Vec<Arc<Lease>>>,
}

/// All leases that are kept, by when they need something.
#[derive(Default)]
pub(crate) struct Schedule {
    leases: BTreeMap<HolderId, Kept>,
    order: BTreeSet<(Instant, HolderId)>,
}

impl Schedule {
    /// Adds a lease; answers when it first needs something.
    pub(crate) fn insert(&mut self, kept: Kept) -> Instant {
        let (next, holder) = (kept.next, kept.lease.claim.holder);
        self.order.insert((next, holder));
        self.leases.insert(holder, kept);
        next
    }

    pub(crate) fn remove(&mut self, holder: HolderId) -> Option<Kept> {
        let kept = self.leases.remove(&holder)?;
        self.order.remove(&(kept.next, holder));
        Some(kept)
    }

    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Kept> + use<> {
        self.order.clear();
        std::mem::take(&mut self.leases).into_values()
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.order.first().map(|(moment, _)| *moment)
    }

    pub(crate) fn contains(&self, holder: HolderId) -> bool {
        self.leases.contains_key(&holder)
    }

    pub(crate) fn len(&self) -> usize {
        self.leases.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.leases.is_empty()
    }

    /// A refresh that was sent at `asked_at` succeeded.
    pub(crate) fn refreshed(&mut self, holder: HolderId, asked_at: Instant) {
        self.change(holder, |kept| {
            kept.refresh_at = Some(asked_at + kept.intervals.refresh);
            kept.warned = false;
            kept.failing = false;
        });
    }

    /// A refresh that was sent at `asked_at` failed; the deadline does not move. One that took long is tried again at once.
    /// Answers whether it is the first since one succeeded.
    pub(crate) fn failed(&mut self, holder: HolderId, asked_at: Instant) -> bool {
        let mut is_first = false;
        self.change(holder, |kept| {
            kept.refresh_at = Some(asked_at + kept.intervals.retry);
            is_first = !std::mem::replace(&mut kept.failing, true);
        });
        is_first
    }

    /// Every refresh that is not on its way falls due at `now`.
    pub(crate) fn hurry(&mut self, now: Instant) {
        for holder in self.leases.keys().copied().collect::<Vec<_>>() {
            self.change(holder, |kept| kept.refresh_at = kept.refresh_at.map(|at| at.min(now)));
        }
    }

    /// Takes out what is due at `now`. Leases that fall due soon join a refresh that goes out anyway.
    pub(crate) fn take_due(&mut self, now: Instant) -> Due {
        let mut due = Due::default();
        let mut refresh = Vec::new();
        while let Some((moment, holder)) = self.order.first().copied() {
            if moment > now {
                break;
            }
            if !self.leases[&holder].lease.is_held() {
                due.lost.extend(self.remove(holder).map(|kept| kept.lease));
                continue;
            }
            self.change(holder, |kept| {
                if kept.refresh_at.is_some_and(|at| at <= now) {
                    kept.refresh_at = None;
                    refresh.push(Arc::clone(&kept.lease));
                }
                if !kept.warned && kept.warn_at() <= now {
                    kept.warned = true;
                    due.at_risk.push(Arc::clone(&kept.lease));
                }
            });
        }
        if !refresh.is_empty() {
            self.join_early(now, &mut refresh);
        }
        due.refresh = batches(refresh);
        due
    }

    /// Adds those whose refresh is due within an eighth of their interval.
    fn join_early(&mut self, now: Instant, refresh: &mut Vec<Arc<Lease>>) {
        let longest = refresh
            .iter()
            .map(|lease| lease.claim.ttl / 8)
            .max()
            .unwrap_or_default();
        let soon: Vec<HolderId> = self
            .order
            .range(..=(now + longest, HolderId::from_bits(u128::MAX)))
            .map(|(_, holder)| *holder)
            .filter(|holder| {
                let kept = &self.leases[holder];
                kept.refresh_at.is_some_and(|at| at <= now + kept.intervals.refresh / 8)
            })
            .collect();
        for holder in soon {
            self.change(holder, |kept| {
                kept.refresh_at = None;
                refresh.push(Arc::clone(&kept.lease));
            });
        }
    }

    fn change(&mut self, holder: HolderId, change: impl FnOnce(&mut Kept)) {
        let Some(kept) = self.leases.get_mut(&holder) else {
            return;
        };
        self.order.remove(&(kept.next, holder));
        change(kept);
        kept.next = kept.first_due();
        self.order.insert((kept.next, holder));
    }
}

/// One call per time that an answer may take: a short lease must not make those beside it impatient.
fn batches(leases: Vec<Arc<Lease>>) -> Vec<Vec<Arc<Lease>>> {
    let mut by_timeout = BTreeMap::<Duration, Vec<Arc<Lease>>>::new();
    for lease in leases {
        by_timeout.entry(lease.claim.timeout()).or_default().push(lease);
    }
    by_timeout
        .values()
        .flat_map(|leases| leases.chunks(BATCH))
        .map(<[_]>::to_vec)
        .collect()
}
