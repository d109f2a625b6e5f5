//! What one round of waiting for replicas sends: refreshes of the claims, and a `WAIT` behind them.

use std::time::Duration;

use crate::backend::{Acknowledgement, Claim};
use crate::failure::{BackendError, Failure, Outcome};
use crate::refreshes::Refreshes;
use crate::reply::Reply;
use crate::script::Invocation;

/// The calls for [`LockBackend::acknowledge`](crate::LockBackend::acknowledge) of some claims, to be sent in one go on a
/// connection that nobody else needs meanwhile.
///
/// Not a bare `WAIT`: the connection that waits may lead to another server than the one that granted. The refresh answers
/// whether this one knows the grant, and always writes, so that `WAIT` is about a moment after the grant.
#[derive(Debug)]
pub struct Acknowledgements {
    refreshes: Refreshes,
    replicas: u32,
    within: Duration,
}

impl Acknowledgements {
    /// The calls for these claims, all of which want so many replicas.
    #[must_use]
    pub fn new(claims: &[Claim], replicas: u32, within: Duration) -> Self {
        Self {
            refreshes: Refreshes::new(claims),
            replicas,
            within,
        }
    }

    /// The calls before the `WAIT`, all of one script.
    #[must_use]
    pub fn invocations(&self) -> &[Invocation] {
        self.refreshes.invocations()
    }

    /// The arguments of `WAIT`: how many replicas, and how many milliseconds, of which 0 would be for ever.
    #[must_use]
    pub fn wait(&self) -> [String; 2] {
        [self.replicas.to_string(), self.within.as_millis().max(1).to_string()]
    }

    /// How long all of it may take.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        self.within + self.refreshes.timeout()
    }

    /// Deals the answers out: one per claim, in order. The last reply is that to the `WAIT`; `epoch` is that of the
    /// server, where sentinels have named it.
    #[must_use]
    pub fn answers(
        self,
        replies: Result<Vec<Result<Reply, BackendError>>, BackendError>,
        epoch: Option<u64>,
    ) -> Vec<Result<Acknowledgement, BackendError>> {
        let waited = replies.and_then(|mut replies| {
            let replicas = read_count(replies.pop())?;
            Ok((replies, replicas))
        });
        let (replies, replicas) = match waited {
            Ok((replies, replicas)) => (Ok(replies), replicas),
            Err(error) => (Err(error), 0),
        };
        let standings = self.refreshes.answers(replies).into_iter();
        let acknowledged = |standing| Acknowledgement {
            standing,
            replicas,
            epoch,
        };
        standings.map(|standing| standing.map(acknowledged)).collect()
    }
}

/// How many replicas `WAIT` has counted.
fn read_count(reply: Option<Result<Reply, BackendError>>) -> Result<u32, BackendError> {
    let strange = |reply: &dyn std::fmt::Debug| {
        let text = format!("the server answers {reply:?} to WAIT");
        BackendError::new(Failure::Permanent, Outcome::Unknown, text)
    };
    match reply {
        Some(Ok(Reply::Int(count))) => u32::try_from(count).map_err(|_| strange(&count)),
        Some(Ok(other)) => Err(strange(&other)),
        Some(Err(error)) => Err(error),
        None => Err(strange(&"nothing")),
    }
}
