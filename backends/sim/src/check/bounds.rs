//! How long things may take: sums of what the configuration documents.

use std::time::Duration;

use crate::history::Asked;

/// How long a client may take to connect anew.
const RECONNECT: Duration = Duration::from_millis(250);
/// How long a client may take to connect anew and to wait before it tries again.
pub(super) const RECONNECT_AND_RETRY: Duration = Duration::from_millis(250 + 1250);
/// How long a request may be on its way without any fault.
pub(super) const IN_FLIGHT: Duration = Duration::from_millis(250);
/// What timers and the rounding of servers may add.
pub(super) const SLACK: Duration = Duration::from_millis(100);
/// Within this everything happens that happens at once.
pub(super) const PROMPT: Duration = Duration::from_millis(500);
/// After this a waiter that relies on messages looks for itself.
pub(super) const FALLBACK: Duration = Duration::from_secs(5);
/// For how long a fault still explains an error.
pub(super) const AFTERMATH: Duration = Duration::from_secs(5);
/// A lease time is rounded to a millisecond in each direction.
pub(super) const ROUNDING: Duration = Duration::from_millis(2);

/// How long one operation may take before its caller gives up on it: a sixth of the ttl, at most 2 s, and a quarter more
/// for a backend that does not keep to it.
pub(super) fn operation(ttl: Duration) -> Duration {
    let timeout = (ttl / 6).min(Duration::from_secs(2));
    timeout + timeout / 4
}

/// Within how long after a fault did something for the last time a refresh or a release gets through: one that was on its
/// way goes unanswered, and it is sent again a step later.
pub(super) fn again(ttl: Duration, refresh_interval: Duration) -> Duration {
    let step = (ttl / 30).clamp(Duration::from_millis(100), Duration::from_secs(1));
    operation(ttl) * 2 + step.min(refresh_interval / 2) + RECONNECT + SLACK
}

/// How long a permit that was handed over is kept for a waiter that does not confirm it.
pub(super) fn window(ttl: Duration) -> Duration {
    ttl.min(Duration::from_secs(2))
}

/// After how long a waiter that has not asked counts as gone: three looks and an operation.
pub(super) fn patience(ttl: Duration) -> Duration {
    window(ttl) * 3 + operation(ttl)
}

/// Within how long a calm client learns that its lease is gone.
pub(super) fn notice(asked: &Asked) -> Duration {
    asked.refresh_interval + operation(asked.ttl) + RECONNECT
}

/// How much longer a lease lasts where its time is stepless and somebody looks: a quarter of the ttl that it is given, and
/// as much again for the way of six looks, during which time does not go on.
pub(super) fn late(asked: &Asked) -> Duration {
    if asked.stepless {
        asked.ttl / 2 + SLACK * 6
    } else {
        Duration::ZERO
    }
}

/// How long a lease may outlive its acquisition on a server: a last refresh may have been on its way.
pub(super) fn outlives(ttl: Duration) -> Duration {
    ttl + operation(ttl) + IN_FLIGHT
}
