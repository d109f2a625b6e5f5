//! A connection that does not answer: what every backend over a driver has to notice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// Since when a connection has not answered, for backends that replace it after two timeouts in a row: a server that has
/// vanished without a word is not left otherwise.
#[derive(Debug, Default)]
pub struct Stall {
    is_stalled: AtomicBool,
    since: Mutex<Option<Instant>>,
}

impl Stall {
    /// An answer came.
    pub fn end(&self) {
        // Nearly always nothing has stalled, and then nothing is written.
        if self.is_stalled.load(Ordering::Relaxed) {
            let mut since = self.since();
            self.is_stalled.store(false, Ordering::Relaxed);
            *since = None;
        }
    }

    /// A request sent at `sent` got no answer in time. Whether it is the second in a row: one that was sent after
    /// the first had been given up, since requests sent side by side fail by one and the same pause.
    pub fn is_second(&self, sent: Instant) -> bool {
        let mut since = self.since();
        match *since {
            Some(first) => sent >= first,
            None => {
                self.is_stalled.store(true, Ordering::Relaxed);
                *since = Some(Instant::now());
                false
            }
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_timeouts_are_in_a_row_only_one_after_the_other() {
        let stall = Stall::default();
        let sent = Instant::now();
        tokio::time::advance(Duration::from_secs(2)).await;

        assert!(!stall.is_second(sent));
        assert!(!stall.is_second(sent), "sent side by side with the first");
        assert!(stall.is_second(Instant::now()));

        stall.end();
        assert!(!stall.is_second(Instant::now()), "an answer came between");
    }
}
