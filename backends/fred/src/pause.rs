//! How long to wait before trying again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Between two attempts to get a lost connection back. It does not grow: a failover takes seconds, and whoever waits longer
/// and longer meanwhile sleeps past its end.
pub(crate) const RECONNECT: Duration = Duration::from_millis(200);

/// The same, where the server does not let us in: whoever asks tries at once all the same.
pub(crate) const REFUSED: Duration = Duration::from_secs(5);

/// Between two questions to the sentinels while there is no master.
pub(crate) const SEEK: Duration = Duration::from_millis(100);

/// Half to all of a pause, so that processes which lost one server do not come back to it in step.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1024;
    pause / 2 + pause * u32::try_from(random).unwrap_or(0) / 2048
}
