//! Which token to propose: above all that this process has heard of.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::answers::median;
use crate::clock::{Clock, Instant};
use crate::fence::FencingToken;
use crate::vote::View;

/// By how much slower than the clock tokens go on that are ahead of it. Servers that forget what they gave begin 71 minutes
/// ahead of their clocks; they are sure to be above it only as far as the clocks have caught up since.
const SLOWER: u64 = 16;

/// A hybrid logical clock (Kulkarni and others, 2014): the servers' clocks as last heard of plus the time since, and never
/// behind a token that was heard of or proposed. The local wall clock has no part in it.
#[derive(Debug)]
pub(super) struct Horizon {
    clock: Arc<dyn Clock>,
    heard: Mutex<Heard>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Heard {
    /// The servers' clocks, and when they were read; 0 before any was.
    micros: u64,
    micros_at: Instant,
    /// The largest token, and when it was heard of.
    token: u64,
    token_at: Instant,
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
        if heard.micros == 0 {
            return None;
        }
        let next = heard.at(now) + 1;
        heard.raise(next, now);
        Some(FencingToken::from_u64(heard.token))
    }

    /// The next token to propose, also larger than this one.
    pub(super) fn propose_above(&self, floor: FencingToken) -> FencingToken {
        let now = self.clock.now();
        let mut heard = self.lock();
        let next = heard.at(now).max(floor.as_u64()) + 1;
        heard.raise(next, now);
        FencingToken::from_u64(next)
    }

    /// Takes in what servers said of themselves in an answer that took so long: their clocks are read about half-way.
    pub(super) fn hear<'a>(&self, views: impl Iterator<Item = &'a View> + Clone, took: Duration) {
        let now = self.clock.now();
        let Some(micros) = median(views.clone().map(|view| view.now.as_micros())) else {
            return;
        };
        let half = u64::try_from(took.as_micros() / 2).unwrap_or(0);
        let mut heard = self.lock();
        if micros + half > heard.clock(now) {
            (heard.micros, heard.micros_at) = (micros + half, now);
        }
        heard.raise(views.map(|view| view.last.as_u64()).max().unwrap_or(0), now);
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    /// The servers' clocks now; 0 before any was read.
    fn clock(&self, now: Instant) -> u64 {
        if self.micros == 0 {
            return 0;
        }
        self.micros + micros(now.saturating_since(self.micros_at))
    }

    fn at(&self, now: Instant) -> u64 {
        let token = self.token + micros(now.saturating_since(self.token_at)) / SLOWER;
        self.clock(now).max(token)
    }

    fn raise(&mut self, token: u64, now: Instant) {
        if token > self.token {
            (self.token, self.token_at) = (token, now);
        }
    }
}

fn micros(length: Duration) -> u64 {
    u64::try_from(length.as_micros()).unwrap_or(u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, Timestamp};

    fn view(now: u64, last: u64) -> View {
        View {
            last: FencingToken::from_u64(last),
            now: Timestamp::from_micros(now),
            server: 1,
        }
    }

    #[test]
    fn proposals_grow_and_are_above_what_was_heard_of() {
        let horizon = Horizon::new(Arc::new(SystemClock));
        assert_eq!(horizon.propose(), None);

        horizon.hear(
            [view(1_000, 0), view(5_000_000_000, 7), view(3_000, 2)].iter(),
            Duration::ZERO,
        );
        let first = horizon.propose().unwrap();
        let second = horizon.propose().unwrap();
        let above = horizon.propose_above(FencingToken::from_u64(9_000_000_000));

        assert!(
            first.as_u64() > 3_000 && first.as_u64() < 5_000_000_000,
            "the clock in the middle"
        );
        assert!(first < second && second < above);
        assert!(above.as_u64() > 9_000_000_000);
    }

    /// Otherwise a server that forgets would never be ahead of what it gave.
    #[test]
    fn tokens_that_are_ahead_of_the_clock_go_on_slower_than_it() {
        let heard = Heard {
            micros: 1_000_000,
            micros_at: Instant::from_origin(Duration::ZERO),
            token: 3_000_000,
            token_at: Instant::from_origin(Duration::ZERO),
        };
        let after = |seconds| heard.at(Instant::from_origin(Duration::from_secs(seconds)));

        assert_eq!(after(1), 3_062_500);
        assert_eq!(after(4), 5_000_000, "the clock has caught up");
    }
}
