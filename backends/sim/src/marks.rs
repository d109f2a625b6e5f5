//! Coverage marks: what a run has seen. A fault that never bites proves nothing.

use std::collections::BTreeMap;

/// How often each thing of interest happened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<&'static str, u64>);

impl Marks {
    /// One more of it.
    pub(crate) fn hit(&mut self, mark: &'static str) {
        *self.0.entry(mark).or_default() += 1;
    }

    /// How often it happened.
    #[must_use]
    pub fn count(&self, mark: &str) -> u64 {
        self.0.get(mark).copied().unwrap_or(0)
    }

    /// All that happened, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.0.iter().map(|(mark, count)| (*mark, *count))
    }

    /// Adds the counts of another run.
    pub fn add(&mut self, other: &Self) {
        for (mark, count) in other.iter() {
            *self.0.entry(mark).or_default() += count;
        }
    }
}
