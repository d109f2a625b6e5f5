//! How long to wait before connecting again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Between the first attempt and the second.
pub(crate) const MIN: Duration = Duration::from_millis(50);
const MAX: Duration = Duration::from_secs(1);

/// The pace of attempts that fail: one that took long needs no pause after it.
#[derive(Debug)]
pub(crate) struct Pace {
    pause: Duration,
    began: Instant,
}

impl Pace {
    /// The first attempt begins.
    pub(crate) fn start() -> Self {
        Self {
            pause: MIN,
            began: Instant::now(),
        }
    }

    /// Waits until the next one may begin.
    pub(crate) async fn next(&mut self) {
        sleep_until(self.began + jittered(self.pause)).await;
        self.pause = (self.pause * 2).min(MAX);
        self.began = Instant::now();
    }
}

/// Half to all of a pause, so that processes which lost one server do not come back to it in step.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1024;
    pause / 2 + pause * u32::try_from(random).unwrap_or(0) / 2048
}
