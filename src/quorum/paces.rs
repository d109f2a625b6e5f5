//! How long each server mostly takes to answer.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The most servers of a quorum.
const SERVERS: usize = 9;

/// A moving average for each server, of the answers that came: one that hangs keeps what it had.
#[derive(Debug, Default)]
pub(super) struct Paces([AtomicU64; SERVERS]);

impl Paces {
    pub(super) fn saw(&self, server: usize, took: Duration) {
        let Some(average) = self.0.get(server) else { return };
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX / 8);
        let before = average.load(Ordering::Relaxed);
        let after = if before == 0 {
            took
        } else {
            before - before / 8 + took / 8
        };
        // One that is lost beside another is a sample less.
        average.store(after, Ordering::Relaxed);
    }

    /// That of the slowest of these.
    pub(super) fn slowest(&self, servers: impl Iterator<Item = usize>) -> Duration {
        let averages = servers.filter_map(|server| self.0.get(server));
        let slowest = averages.map(|average| average.load(Ordering::Relaxed)).max();
        Duration::from_micros(slowest.unwrap_or(0))
    }
}
