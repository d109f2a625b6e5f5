//! How long things took.

use std::fmt;
use std::time::Duration;

/// How long things took, the shortest first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Delays(Vec<Duration>);

impl Delays {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    fn at(&self, permille: usize) -> Duration {
        let last = self.0.len().saturating_sub(1);
        self.0.get(last * permille / 1000).copied().unwrap_or_default()
    }
}

impl FromIterator<Duration> for Delays {
    fn from_iter<I: IntoIterator<Item = Duration>>(delays: I) -> Self {
        let mut delays: Vec<_> = delays.into_iter().collect();
        delays.sort_unstable();
        Self(delays)
    }
}

impl fmt::Display for Delays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [median, late, last] = [500, 990, 1000].map(|permille| self.at(permille));
        write!(
            f,
            "p50 {median:.1?}, p99 {late:.1?}, max {last:.1?} of {}",
            self.count()
        )
    }
}
