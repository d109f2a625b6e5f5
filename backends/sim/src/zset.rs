//! Sorted sets.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Members by score, ties by member.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Zset {
    scores: BTreeMap<Vec<u8>, f64>,
    order: BTreeSet<(Score, Vec<u8>)>,
}

/// A score is never NaN, so it has a total order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// One end of a range of scores.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) score: f64,
    pub(crate) exclusive: bool,
}

impl Bound {
    /// Where a range that starts here begins; `None` if nothing is above.
    fn start(self) -> Option<Score> {
        match self {
            Self {
                score,
                exclusive: false,
            } => Some(Score(score)),
            Self { score, .. } => (score != f64::INFINITY).then(|| Score(score.next_up())),
        }
    }

    /// Before which score a range that ends here ends; `None` if it never does.
    fn end(self) -> Option<Score> {
        match self {
            Self { score, exclusive: true } => Some(Score(score)),
            Self { score, .. } => (score != f64::INFINITY).then(|| Score(score.next_up())),
        }
    }
}

impl Zset {
    pub(crate) fn len(&self) -> usize {
        self.scores.len()
    }

    pub(crate) fn score(&self, member: &[u8]) -> Option<f64> {
        self.scores.get(member).copied()
    }

    /// Adds or moves a member; says whether it is new.
    pub(crate) fn insert(&mut self, member: &[u8], score: f64) -> bool {
        let before = self.scores.insert(member.to_vec(), score);
        if let Some(before) = before {
            self.order.remove(&(Score(before), member.to_vec()));
        }
        self.order.insert((Score(score), member.to_vec()));
        before.is_none()
    }

    pub(crate) fn remove(&mut self, member: &[u8]) -> bool {
        match self.scores.remove(member) {
            Some(score) => self.order.remove(&(Score(score), member.to_vec())),
            None => false,
        }
    }

    pub(crate) fn rank(&self, member: &[u8]) -> Option<usize> {
        let key = (Score(self.score(member)?), member.to_vec());
        Some(self.order.range(..key).count())
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (&[u8], f64)> {
        self.order.iter().map(|(score, member)| (member.as_slice(), score.0))
    }

    /// The members whose scores lie between two bounds, in ascending order.
    pub(crate) fn between(&self, low: Bound, high: Bound) -> impl DoubleEndedIterator<Item = (&[u8], f64)> {
        let range = match (low.start(), high.end()) {
            // `BTreeSet::range` panics on an inverted range.
            (Some(start), Some(end)) if start < end => {
                let (start, end) = ((start, Vec::new()), (end, Vec::new()));
                Some(self.order.range(start..end))
            }
            (Some(start), None) => Some(self.order.range((start, Vec::new())..)),
            _ => None,
        };
        range
            .into_iter()
            .flatten()
            .map(|(score, member)| (member.as_slice(), score.0))
    }
}
