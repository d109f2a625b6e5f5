//! What can go wrong, one variant for each thing that a caller would do differently.

use std::borrow::Cow;
use std::time::Duration;

use crate::failure::{BackendError, Outcome};
use crate::fence::FencingToken;
use crate::name::Name;

/// Why an operation failed.
///
/// Contention is not among them: a permit that is not to be had is `Ok(None)`.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The backend failed or could not be reached. Nothing is held because of it: what may have been granted is
    /// given back in the background, and ends with its ttl at the latest.
    #[error("{operation}{of} failed ({outcome}): {source}", of = of(.name.as_ref()))]
    Backend {
        /// What was tried: `acquire`, `release`, …
        operation: &'static str,
        /// The semaphore, where one is concerned.
        name: Option<Name>,
        /// What the backend or its driver said.
        source: BackendError,
        /// Whether it may have been applied.
        outcome: Outcome,
    },
    /// The client has been closed.
    #[error("the client is closed")]
    Closed,
    /// A value is out of range; nothing was sent, or the backend changed nothing.
    #[error("{field} {reason}")]
    Config {
        /// The field as it is called in [`Config`](crate::Config) or in the call.
        field: &'static str,
        /// What is wrong with it, as the end of a sentence that starts with the field.
        reason: Cow<'static, str>,
    },
    /// The lease ended before its permit was released.
    #[error("the permit of {name} with token {token} was lost: {reason}")]
    Lost {
        /// The semaphore.
        name: Name,
        /// The token of the permit that is gone.
        token: FencingToken,
        /// Why it was lost.
        reason: LossReason,
    },
    /// More permits were to be released than are held and [forgotten](crate::Permit::forget); nothing was released.
    #[error("cannot release {permits} of {name}, of which {held} are held and forgotten")]
    OverRelease {
        /// The semaphore.
        name: Name,
        /// How many were to be released.
        permits: u32,
        /// How many there are.
        held: u32,
    },
    /// Too many wait for this semaphore already.
    #[error("the queue of {name} is full with {waiters} waiters")]
    QueueFull {
        /// The semaphore.
        name: Name,
        /// How many wait.
        waiters: u32,
    },
    /// An operator removed this waiter from the queue by force.
    #[error("the wait for {name} was ended by force")]
    Removed {
        /// The semaphore.
        name: Name,
    },
    /// The acquire timeout passed.
    #[error("no permit of {name} within {:?}", Duration::from_millis(u64::try_from(.waited.as_millis()).unwrap_or(u64::MAX)))]
    TimedOut {
        /// The semaphore.
        name: Name,
        /// How long was waited.
        waited: Duration,
    },
    /// Too few replicas confirmed in time that they have the grant, which is given back in the background.
    #[error("{acks} of {wanted} replicas acknowledged the grant of {name}")]
    Unacknowledged {
        /// The semaphore.
        name: Name,
        /// How many replicas confirmed it.
        acks: u32,
        /// How many were [wanted](crate::Config::acks).
        wanted: u32,
    },
}

impl Error {
    pub(crate) fn config(field: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Config {
            field,
            reason: reason.into(),
        }
    }

    pub(crate) fn backend(operation: &'static str, name: &Name, source: BackendError) -> Self {
        Self::Backend {
            operation,
            name: Some(name.clone()),
            outcome: source.outcome(),
            source,
        }
    }

    /// Whether the same call may succeed later without anybody changing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Backend { source, .. } => source.is_transient(),
            Self::Lost { .. } | Self::QueueFull { .. } | Self::TimedOut { .. } | Self::Unacknowledged { .. } => true,
            Self::Closed | Self::Config { .. } | Self::OverRelease { .. } | Self::Removed { .. } => false,
        }
    }
}

fn of(name: Option<&Name>) -> String {
    name.map_or_else(String::new, |name| format!(" of {name}"))
}

/// Why a lease ended without release. Final for that permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum LossReason {
    /// The client was closed while the permit was out.
    #[error("the client was closed")]
    Closed,
    /// No refresh got through before the lease ended on the local clock.
    #[error("no refresh succeeded before the lease ended")]
    Expired,
    /// An operator released it by force.
    #[error("released by force")]
    Forced,
    /// The backend knows nothing of it any more: it expired there, or the data is gone.
    #[error("the backend does not know it any more")]
    Forgotten,
    /// The backend refuses to refresh it: credentials or rights have changed.
    #[error("the backend refused to refresh it")]
    Refused,
}
