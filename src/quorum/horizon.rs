//! Which token to propose: above all that this process has heard of.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::answers::median;
use crate::clock::{Clock, Instant};
use crate::fence::FencingToken;
use crate::vote::View;

/// A hybrid logical clock (Kulkarni and others, 2014): the servers' clocks as last heard of plus the time since, and never
/// behind a token that was heard of or proposed. The local wall clock has no part in it.
#[derive(Debug)]
pub(super) struct Horizon {
    clock: Arc<dyn Clock>,
    heard: Mutex<Option<Heard>>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    micros: u64,
    at: Instant,
}

impl Horizon {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            heard: Mutex::default(),
        }
    }

    /// The next token to propose, larger than the one before; `None` before any server was heard.
    pub(super) fn propose(&self) -> Option<FencingToken> {
        let now = self.clock.now();
        let mut heard = self.lock();
        let micros = heard.as_ref()?.at(now) + 1;
        *heard = Some(Heard { micros, at: now });
        Some(FencingToken::from_u64(micros))
    }

    /// The next token to propose, also larger than this one.
    pub(super) fn propose_above(&self, floor: FencingToken) -> FencingToken {
        self.advance(floor.as_u64());
        self.propose().unwrap_or(FencingToken::from_u64(floor.as_u64() + 1))
    }

    /// Takes in what servers said of themselves in an answer that took so long: their clocks are read about half-way.
    pub(super) fn hear<'a>(&self, views: impl Iterator<Item = &'a View> + Clone, took: Duration) {
        let clocks = median(views.clone().map(|view| view.now.as_micros()));
        let half = u64::try_from(took.as_micros() / 2).unwrap_or(0);
        self.advance(clocks.map_or(0, |micros| micros + half));
        self.advance(views.map(|view| view.last.as_u64()).max().unwrap_or(0));
    }

    fn advance(&self, micros: u64) {
        let now = self.clock.now();
        let mut heard = self.lock();
        let known = heard.as_ref().map_or(0, |heard| heard.at(now));
        if micros > known {
            *heard = Some(Heard { micros, at: now });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Heard>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn at(&self, now: Instant) -> u64 {
        let since = now.saturating_since(self.at).as_micros();
        self.micros.saturating_add(u64::try_from(since).unwrap_or(u64::MAX))
    }
}
