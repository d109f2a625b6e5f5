//! Pauses between attempts: exponential, capped, jittered.

use std::time::Duration;

use crate::config::Config;
use crate::random::Random;

const PAUSE_MIN: Duration = Duration::from_millis(1);

/// The pauses of one wait.
#[derive(Debug)]
pub(crate) struct Backoff {
    next: Duration,
    max: Duration,
    multiplier: f64,
    jitter: f64,
}

impl Backoff {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            next: config.retry_interval,
            max: config.longest_pause(),
            multiplier: config.retry_multiplier,
            jitter: config.retry_jitter,
        }
    }

    /// The next pause, `± jitter` of it; the one after it is longer, up to the maximum.
    pub(crate) fn pause(&mut self, random: &Random) -> Duration {
        let pause = self.next;
        let longer = Duration::try_from_secs_f64(pause.as_secs_f64() * self.multiplier).unwrap_or(self.max);
        self.next = longer.min(self.max);
        let factor = 1.0 + self.jitter * (2.0 * random.unit() - 1.0);
        pause.mul_f64(factor).max(PAUSE_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SCENARIOS 63: a predecessor overflows after 102 s.
    #[test]
    fn ten_thousand_pauses_neither_overflow_nor_spin() {
        let config = Config {
            retry_multiplier: 100.0,
            retry_jitter: 1.0,
            ..Config::new("name", 1)
        };
        let random = Random::from_seed(Some(1));
        let mut backoff = Backoff::new(&config);

        let pauses: Vec<Duration> = (0..10_000).map(|_| backoff.pause(&random)).collect();

        assert!(
            pauses
                .iter()
                .all(|pause| (PAUSE_MIN..=Duration::from_secs(2)).contains(pause))
        );
    }

    #[test]
    fn pauses_double_up_to_the_maximum() {
        let config = Config {
            retry_jitter: 0.0,
            ..Config::new("name", 1)
        };
        let random = Random::from_seed(Some(1));
        let mut backoff = Backoff::new(&config);

        let millis: Vec<u128> = (0..6).map(|_| backoff.pause(&random).as_millis()).collect();

        assert_eq!(millis, [100, 200, 400, 800, 1000, 1000]);
    }
}
