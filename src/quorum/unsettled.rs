//! Ballots that nobody waits for, but which may still arrive.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::holder::HolderId;

/// How many ballots of each holder are on their way to each server. A release leaves a tombstone there, or a ballot that
/// arrives behind it would take what nobody gives back.
#[derive(Debug, Default)]
pub(super) struct Unsettled(Mutex<BTreeMap<(HolderId, usize), usize>>);

/// Counts one ballot until it is dropped.
#[derive(Debug)]
pub(super) struct Settling {
    unsettled: Arc<Unsettled>,
    ballot: (HolderId, usize),
}

impl Unsettled {
    pub(super) fn begin(self: &Arc<Self>, holder: HolderId, server: usize) -> Settling {
        *self.lock().entry((holder, server)).or_default() += 1;
        Settling {
            unsettled: Arc::clone(self),
            ballot: (holder, server),
        }
    }

    pub(super) fn has(&self, holder: HolderId, server: usize) -> bool {
        self.lock().contains_key(&(holder, server))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(HolderId, usize), usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        let mut ballots = self.unsettled.lock();
        let count = ballots.get_mut(&self.ballot).expect("what was begun is counted");
        *count -= 1;
        if *count == 0 {
            ballots.remove(&self.ballot);
        }
    }
}
