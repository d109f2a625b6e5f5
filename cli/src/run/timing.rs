//! When a command must be stopped so that it ends before its lease does.

use std::time::Duration;

use semafence::Instant;
use serde::{Deserialize, Serialize};

use crate::duration::short;
use crate::failure::Failure;

const KILL_AFTER: Duration = Duration::from_secs(4);
const MARGIN_MIN: Duration = Duration::from_millis(20);

/// The part of the ttl that is left when SIGTERM is sent, and how it is used.
///
/// ```text
/// last good refresh sent            2/3 ttl                              ttl
/// |---------------------------------|SIGTERM----- kill_after --|SIGKILL--|
///                                                              margin: the signal's own way
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timing {
    /// A third of the ttl.
    last_third: Duration,
    /// From SIGTERM to SIGKILL.
    pub(crate) kill_after: Duration,
}

impl Timing {
    /// Checks that SIGKILL comes before the lease can end.
    pub(crate) fn new(ttl: Duration, kill_after: Option<Duration>) -> Result<Self, Failure> {
        let last_third = ttl / 3;
        let longest = last_third.saturating_sub(margin(ttl));
        let kill_after = kill_after.unwrap_or(KILL_AFTER.min(longest));
        if kill_after > longest {
            let message = format!(
                "with --ttl {} the command could outlive its lease: --kill-after may be {} at most, not {}",
                short(ttl),
                exact(longest),
                short(kill_after)
            );
            return Err(Failure::config(message).hint("choose a longer --ttl or a shorter --kill-after"));
        }
        Ok(Self { last_third, kill_after })
    }

    /// What follows from a lease that ends at `lease_end` unless it is refreshed.
    pub(crate) fn deadlines(&self, lease_end: Instant) -> Deadlines {
        let terminate_at = lease_end - self.last_third;
        Deadlines {
            terminate_at: terminate_at.since_origin(),
            kill_at: (terminate_at + self.kill_after).since_origin(),
        }
    }
}

/// To the millisecond, and never longer: it is there to be typed.
fn exact(duration: Duration) -> impl std::fmt::Display {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    humantime::format_duration(Duration::from_millis(millis))
}

/// What the signal and a busy machine may need.
fn margin(ttl: Duration) -> Duration {
    (ttl / 20).max(MARGIN_MIN)
}

/// When to stop a group unless the lease is refreshed; on the machine's clock, which the guard shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deadlines {
    /// SIGTERM, since the clock's origin.
    pub(crate) terminate_at: Duration,
    /// SIGKILL, since the clock's origin.
    pub(crate) kill_at: Duration,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit;

    const fn millis(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn sigterm_comes_at_two_thirds_of_the_ttl_and_sigkill_before_its_end() {
        let timing = Timing::new(millis(15_000), None).unwrap();

        let deadlines = timing.deadlines(Instant::from_origin(millis(115_000)));

        assert_eq!(deadlines.terminate_at, millis(110_000));
        assert_eq!(deadlines.kill_at, millis(114_000));
    }

    #[test]
    fn a_short_ttl_shortens_the_default() {
        let timing = Timing::new(millis(1_500), None).unwrap();

        assert_eq!(timing.kill_after, millis(425));
    }

    #[test]
    fn what_cannot_hold_is_refused_with_the_longest_that_can() {
        let failure = Timing::new(millis(15_000), Some(millis(4_500))).unwrap_err();

        assert_eq!(failure.exit, exit::CONFIG);
        assert!(
            failure
                .message
                .contains("--kill-after may be 4s 250ms at most, not 4.5s"),
            "{failure}"
        );
        assert!(Timing::new(millis(15_000), Some(millis(4_250))).is_ok());
        assert!(Timing::new(millis(15_000), Some(Duration::MAX)).is_err());
    }
}
