#![forbid(unsafe_code)]
//! Distributed counting semaphores and mutexes with leases, fencing tokens and a fair queue.

mod acquisition;
mod backend;
mod backoff;
mod client;
mod clock;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod core;
#[cfg(feature = "serde")]
mod duration;
mod error;
mod fence;
mod holder;
mod keeper;
mod lease;
mod mutex;
mod name;
mod permit;
mod random;
mod schedule;
pub mod script;
mod semaphore;
mod waiters;

pub use backend::{
    Attempt, BackendError, Busy, Claim, Failure, Grant, HolderStatus, LockBackend, Outcome, Queued, Queueing, Standing,
    Status, WaiterStatus, Wakeup,
};
pub use client::{Client, ClientBuilder, Closed, DEFAULT_NAMESPACE};
pub use clock::{Clock, Instant, SystemClock, Timestamp};
pub use config::{Config, LeaseTime, Strategy};
pub use error::{Error, LossReason};
pub use fence::{Fence, FencingToken, StaleToken};
pub use holder::{HolderId, Inbox, ParseHolderIdError};
pub use keeper::{KeeperMode, Loss};
pub use mutex::{Mutex, MutexBuilder};
pub use name::Name;
pub use permit::{OwnedPermit, Permit};
pub use semaphore::{Semaphore, SemaphoreBuilder};
