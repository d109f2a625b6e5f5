//! The local clock, which can also wait.

use std::fmt::Debug;
use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;

/// The longest single sleep of [`SystemClock`], so that a suspended machine is noticed soon after it wakes.
const SLICE: Duration = Duration::from_secs(1);

/// A moment of a [`Clock`]: time since that clock's own origin. Moments of different clocks do not compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(Duration);

impl Instant {
    /// The moment `since_origin` after the clock's origin.
    #[must_use]
    pub const fn from_origin(since_origin: Duration) -> Self {
        Self(since_origin)
    }

    /// Time since the clock's origin.
    #[must_use]
    pub const fn since_origin(self) -> Duration {
        self.0
    }

    /// Time from `earlier` until this moment; zero if it is not earlier.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Saturates: a far future is still a future.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

/// Wall-clock time in microseconds since the Unix epoch: a server's, or this machine's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }
}

/// A local clock that can also wait: a clock that cannot sleep cannot be simulated.
///
/// # Contract
///
/// `now` never goes back, and counts time during which the machine was suspended: a lease ends while a laptop sleeps.
/// `sleep_until` returns once `now` has reached the deadline, at once if it already has, and may be dropped.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// Monotonic time, suspension included.
    fn now(&self) -> Instant;

    /// This machine's wall clock; used only for display and for the client-time option.
    fn wall(&self) -> Timestamp;

    /// Waits until `now` has reached `deadline`.
    async fn sleep_until(&self, deadline: Instant);
}

/// The machine's clock: `CLOCK_BOOTTIME` on Linux, the nearest there is elsewhere. Waits on tokio's timer.
///
/// Sleeps go in slices of at most one second, because tokio's timer stands still while the machine is suspended: a
/// lease that ended meanwhile is noticed within a second of waking, and by [`Permit::is_held`](crate::Permit::is_held)
/// at once.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant(boot_time())
    }

    fn wall(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }

    async fn sleep_until(&self, deadline: Instant) {
        loop {
            let left = deadline.saturating_since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(SLICE)).await;
        }
    }
}

#[cfg(unix)]
fn boot_time() -> Duration {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Boottime;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    const CLOCK: rustix::time::ClockId = rustix::time::ClockId::Monotonic;
    let time = rustix::time::clock_gettime(CLOCK);
    // The kernel never reports a negative time since boot.
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(not(unix))]
fn boot_time() -> Duration {
    use std::sync::OnceLock;
    static ORIGIN: OnceLock<std::time::Instant> = OnceLock::new();
    ORIGIN.get_or_init(std::time::Instant::now).elapsed()
}

#[async_trait]
impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Instant {
        (**self).now()
    }

    fn wall(&self) -> Timestamp {
        (**self).wall()
    }

    async fn sleep_until(&self, deadline: Instant) {
        (**self).sleep_until(deadline).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_sleep_ends_at_its_deadline_and_not_before() {
        let clock = SystemClock;
        let deadline = clock.now() + Duration::from_millis(20);

        clock.sleep_until(deadline).await;

        assert!(clock.now() >= deadline);
    }
}
