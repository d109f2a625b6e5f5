//! Too few servers answered.

use std::fmt;
use std::sync::Arc;

use super::Node;
use super::answers::Answers;
use crate::failure::{BackendError, Failure, Outcome};

/// Fewer servers than a majority have answered, each of the others with its reason. It is the source of the
/// [`BackendError`] that an operation on a [`Quorum`](crate::Quorum) fails with: see [`BackendError::no_majority`].
#[derive(Debug, Clone, thiserror::Error)]
#[error("{answered} of {servers} servers answered, {}{}", lack(*.answered, *.needed), reasons(.failures))]
#[non_exhaustive]
pub struct NoMajority {
    /// How many servers answered.
    pub answered: usize,
    /// How many have to.
    pub needed: usize,
    /// How many there are.
    pub servers: usize,
    /// The others.
    pub failures: Vec<NodeFailure>,
}

/// Why one server is missing.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct NodeFailure {
    /// What the server is called.
    pub node: Arc<str>,
    /// What it, its driver, or the wait for it said.
    pub error: BackendError,
}

impl fmt::Display for NodeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.node, self.error)
    }
}

fn lack(answered: usize, needed: usize) -> String {
    if answered < needed {
        format!("{needed} are needed")
    } else {
        format!("of which no {needed} agree")
    }
}

fn reasons(failures: &[NodeFailure]) -> String {
    failures.iter().map(|failure| format!("; {failure}")).collect()
}

impl NoMajority {
    pub(super) fn of<B, T>(nodes: &[Node<B>], needed: usize, answers: &Answers<T>) -> Self {
        let failures = nodes.iter().zip(&answers.0).filter_map(|(node, answer)| {
            let error = match answer {
                Some(Ok(_)) => return None,
                Some(Err(error)) => error.clone(),
                None => silent(),
            };
            Some(NodeFailure {
                node: Arc::clone(&node.name),
                error,
            })
        });
        Self {
            answered: answers.given().count(),
            needed,
            servers: nodes.len(),
            failures: failures.collect(),
        }
    }

    /// Transient while a majority may answer in a moment. Not applied only where no server can have.
    pub(super) fn into_error(self) -> BackendError {
        let transient = self.failures.iter().filter(|failure| failure.error.is_transient());
        let may_answer = self.answered + transient.count() >= self.needed;
        let refused = self
            .failures
            .iter()
            .any(|failure| failure.error.failure() == Failure::Refused);
        let failure = match (may_answer, refused) {
            (true, _) => Failure::Transient,
            (false, true) => Failure::Refused,
            (false, false) => Failure::Permanent,
        };
        let is_known = |failure: &NodeFailure| failure.error.outcome() == Outcome::NotApplied;
        let outcome = if self.answered == 0 && self.failures.iter().all(is_known) {
            Outcome::NotApplied
        } else {
            Outcome::Unknown
        };
        BackendError::new(failure, outcome, self)
    }
}

fn silent() -> BackendError {
    BackendError::new(Failure::Transient, Outcome::Unknown, "no answer in time")
}

impl BackendError {
    /// Which servers of a [`Quorum`](crate::Quorum) failed and why, where too few of them answered.
    #[must_use]
    pub fn no_majority(&self) -> Option<&NoMajority> {
        self.source_as()
    }
}
