//! How long to wait before connecting again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Before the first attempt but one.
pub(crate) const MIN: Duration = Duration::from_millis(50);
const MAX: Duration = Duration::from_secs(1);

/// The pause after `pause`, where that was not enough.
pub(crate) fn longer(pause: Duration) -> Duration {
    (pause * 2).min(MAX)
}

/// Half to all of a pause, so that processes which lost one server do not come back to it in step.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1024;
    pause / 2 + pause * u32::try_from(random).unwrap_or(0) / 2048
}
