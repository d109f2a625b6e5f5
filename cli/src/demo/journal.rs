//! What happened, as it happens.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use semafence::{FencingToken, LossReason, StaleToken};
use tokio::time::Instant;

/// Something that happened to a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Event {
    /// Since the demo began.
    pub(super) at: Duration,
    /// The worker, by its place in the cast.
    pub(super) worker: usize,
    pub(super) what: What,
}

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// It asks for a permit.
    Waits,
    /// It has one.
    Enters { slot: u32, token: FencingToken },
    /// The store has accepted a write.
    Writes,
    /// Its process stands still.
    Pauses,
    /// Its lease is over by its own clock since this moment.
    Loses { reason: LossReason, ended: Duration },
    /// Its process goes on.
    Wakes,
    /// The store has refused a write.
    Refused(StaleToken),
    /// It is about to give its permit back.
    Leaves,
}

/// All events, in order.
#[derive(Debug)]
pub(super) struct Journal {
    began: Instant,
    events: Mutex<Vec<Event>>,
}

impl Journal {
    pub(super) fn start() -> Self {
        Self {
            began: Instant::now(),
            events: Mutex::default(),
        }
    }

    /// Time since the demo began.
    pub(super) fn now(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn note(&self, worker: usize, what: What) {
        let mut events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        // Read under the lock, so that the order in the journal is that of the times.
        let at = self.now();
        events.push(Event { at, worker, what });
    }

    /// The events from this number on.
    pub(super) fn since(&self, first: usize) -> Vec<Event> {
        let events = self.events.lock().unwrap_or_else(PoisonError::into_inner);
        events.get(first..).unwrap_or_default().to_vec()
    }
}
