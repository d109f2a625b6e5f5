#![forbid(unsafe_code)]
//! Distributed counting semaphores and mutexes with leases, fencing tokens and a fair queue.

mod backend;
mod clock;
mod error;
mod fence;
mod holder;
mod name;
pub mod script;

pub use backend::{
    Attempt, BackendError, Busy, Claim, Failure, Grant, HolderStatus, LockBackend, Outcome, Queued, Queueing, Standing,
    Status, WaiterStatus, Wakeup,
};
pub use clock::{Clock, Instant, SystemClock, Timestamp};
pub use error::{Error, LossReason};
pub use fence::{Fence, FencingToken, StaleToken};
pub use holder::{HolderId, Inbox, ParseHolderIdError};
pub use name::Name;
