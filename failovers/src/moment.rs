//! A clock that all processes of a machine share.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Time since some moment before all processes of this machine (CLOCK_MONOTONIC).
pub(crate) fn now() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).expect("the clock is not negative");
    Duration::new(seconds, u32::try_from(now.tv_nsec).expect("less than a second"))
}

/// The same for a moment in the past of this process.
pub(crate) fn of(instant: Instant) -> Duration {
    now().saturating_sub(instant.elapsed())
}
