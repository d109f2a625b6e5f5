//! What the servers of a quorum have answered so far.

use crate::failure::BackendError;

/// One place for each server, empty until it has answered.
#[derive(Debug)]
pub(super) struct Answers<T>(pub(super) Vec<Option<Result<T, BackendError>>>);

impl<T> Answers<T> {
    pub(super) fn none(servers: usize) -> Self {
        Self((0..servers).map(|_| None).collect())
    }

    /// Takes in the answers of a later round; one that failed tells nothing new.
    pub(super) fn update(&mut self, later: Self) {
        for (place, answer) in self.0.iter_mut().zip(later.0) {
            if place.is_none() || matches!(answer, Some(Ok(_))) {
                *place = answer.or(place.take());
            }
        }
    }

    /// The answers that are no errors.
    pub(super) fn given(&self) -> impl Iterator<Item = &T> + Clone {
        self.by_server().map(|(_, answer)| answer)
    }

    /// The same, each with the place of its server.
    pub(super) fn by_server(&self) -> impl Iterator<Item = (usize, &T)> + Clone {
        let places = self.0.iter().enumerate();
        places.filter_map(|(index, answer)| Some((index, answer.as_ref()?.as_ref().ok()?)))
    }

    /// How many have not answered.
    pub(super) fn outstanding(&self) -> usize {
        self.0.iter().filter(|answer| answer.is_none()).count()
    }

    /// One part of each answer.
    pub(super) fn each<U>(&self, part: impl Fn(&T) -> Result<U, BackendError>) -> Answers<U> {
        let part = |answer: &Result<T, BackendError>| match answer {
            Ok(answer) => part(answer),
            Err(error) => Err(error.clone()),
        };
        Answers(self.0.iter().map(|answer| answer.as_ref().map(part)).collect())
    }

    /// The middle one of what the servers say, the lower of two. There must be an answer.
    pub(super) fn median<U: Ord>(&self, what: impl Fn(&T) -> U) -> U {
        median(self.given().map(what)).expect("a majority has answered")
    }
}

/// The middle one, the lower of two.
pub(super) fn median<U: Ord>(values: impl Iterator<Item = U>) -> Option<U> {
    let mut values: Vec<U> = values.collect();
    values.sort_unstable();
    let middle = values.len().checked_sub(1)? / 2;
    values.into_iter().nth(middle)
}

/// The middle one, the higher of two.
pub(super) fn upper_median<U: Ord>(values: impl Iterator<Item = U>) -> Option<U> {
    median(values.map(std::cmp::Reverse)).map(|value| value.0)
}
