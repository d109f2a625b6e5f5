//! Stretches of time.

use std::time::Duration;

/// From a moment until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: Duration,
    pub(super) until: Duration,
}

impl Span {
    pub(super) fn new(from: Duration, until: Duration) -> Self {
        Self { from, until }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.from >= self.until
    }

    pub(super) fn contains(&self, moment: Duration) -> bool {
        self.from <= moment && moment < self.until
    }

    /// What is in both.
    pub(super) fn common(&self, other: &Self) -> Option<Self> {
        let common = Self::new(self.from.max(other.from), self.until.min(other.until));
        (!common.is_empty()).then_some(common)
    }

    /// Whether they share or touch a moment.
    pub(super) fn touches(&self, other: &Self) -> bool {
        self.from <= other.until && other.from <= self.until
    }

    /// What is in this one and in none of `holes`, which are sorted by their start.
    pub(super) fn minus(&self, holes: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let mut rest = *self;
        let mut parts = Vec::new();
        for hole in holes {
            let part = Self::new(rest.from, rest.until.min(hole.from));
            if !part.is_empty() {
                parts.push(part);
            }
            rest.from = rest.from.max(hole.until);
        }
        if !rest.is_empty() {
            parts.push(rest);
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(from: u64, until: u64) -> Span {
        Span::new(Duration::from_millis(from), Duration::from_millis(until))
    }

    #[test]
    fn holes_may_overlap_and_stick_out() {
        let parts = span(10, 100).minus([span(0, 20), span(30, 60), span(40, 50), span(90, 200)]);

        assert_eq!(parts, [span(20, 30), span(60, 90)]);
    }

    #[test]
    fn spans_that_touch_have_nothing_in_common() {
        assert!(span(0, 5).touches(&span(5, 9)));
        assert_eq!(span(0, 5).common(&span(5, 9)), None);
    }
}
