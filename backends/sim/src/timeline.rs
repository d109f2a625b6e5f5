//! A clock as a function of world time.

use std::time::Duration;

const MILLION: i128 = 1_000_000;

/// World time, counted from the start of the simulation.
pub(crate) type WorldTime = Duration;

/// A monotonic local time that runs at its own rate: straight pieces, one for each rate it was given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeline {
    world_ns: i128,
    local_ns: i128,
    drift_ppm: i32,
}

impl Timeline {
    /// A timeline that shows `local` when the world begins.
    pub(crate) fn new(local: Duration) -> Self {
        Self {
            world_ns: 0,
            local_ns: nanos(local),
            drift_ppm: 0,
        }
    }

    /// Local time at a moment of the world.
    pub(crate) fn at(&self, world: WorldTime) -> Duration {
        duration(self.local_ns + (nanos(world) - self.world_ns) * self.rate() / MILLION)
    }

    /// The first moment of the world at which `at` shows `local` or more.
    pub(crate) fn when(&self, local: Duration) -> WorldTime {
        let ahead = (nanos(local) - self.local_ns).saturating_mul(MILLION);
        // Rounded up, or a sleep would end a nanosecond early.
        duration(self.world_ns + ahead.div_euclid(self.rate()) + i128::from(ahead.rem_euclid(self.rate()) > 0))
    }

    /// Goes on at another rate from `world` on.
    ///
    /// # Panics
    ///
    /// When the clock would stand still or go back.
    pub(crate) fn set_drift(&mut self, world: WorldTime, drift_ppm: i32) {
        assert!(
            drift_ppm > -1_000_000,
            "a clock with {drift_ppm} ppm of drift goes back"
        );
        *self = Self {
            world_ns: nanos(world),
            local_ns: nanos(self.at(world)),
            drift_ppm,
        };
    }

    fn rate(&self) -> i128 {
        MILLION + i128::from(self.drift_ppm)
    }
}

fn nanos(duration: Duration) -> i128 {
    // A `Duration` has at most 95 bits of nanoseconds.
    duration.as_nanos().cast_signed()
}

fn duration(nanos: i128) -> Duration {
    const NANOS: u128 = 1_000_000_000;
    let nanos = nanos.max(0).cast_unsigned();
    let seconds = u64::try_from(nanos / NANOS).unwrap_or(u64::MAX);
    Duration::new(
        seconds,
        u32::try_from(nanos % NANOS).expect("a remainder is below its divisor"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fast_clock_shows_more_and_gets_there_earlier() {
        let mut timeline = Timeline::new(Duration::from_secs(5));
        timeline.set_drift(Duration::from_secs(10), 1_000);

        assert_eq!(timeline.at(Duration::from_secs(10)), Duration::from_secs(15));
        assert_eq!(timeline.at(Duration::from_secs(1010)), Duration::from_secs(1016));
        assert_eq!(timeline.when(Duration::from_secs(1016)), Duration::from_secs(1010));
    }

    #[test]
    fn when_is_never_early() {
        for drift_ppm in [-999_999, -317, 0, 1, 333_333, 2_000_000] {
            let mut timeline = Timeline::new(Duration::ZERO);
            timeline.set_drift(Duration::from_nanos(7), drift_ppm);
            for nanos in [1, 2, 999, 1_000_000_007] {
                let local = Duration::from_nanos(nanos);
                assert!(timeline.at(timeline.when(local)) >= local, "{drift_ppm} {nanos}");
            }
        }
    }

    #[test]
    fn the_end_of_time_is_far_and_no_overflow() {
        let timeline = Timeline::new(Duration::from_secs(1));

        assert!(timeline.when(Duration::MAX) > Duration::from_secs(1 << 40));
    }
}
