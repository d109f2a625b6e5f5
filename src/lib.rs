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
mod failure;
mod fence;
mod held;
mod holder;
mod keeper;
mod lease;
mod mutex;
mod name;
mod permit;
mod random;
mod reply;
mod schedule;
pub mod script;
mod semaphore;
mod status;
mod waiters;

pub use backend::{Attempt, Busy, Claim, Grant, LockBackend, Queued, Queueing, Standing, Wakeup};
pub use client::{Client, ClientBuilder, Closed, DEFAULT_NAMESPACE};
pub use clock::{Clock, Instant, SystemClock, Timestamp};
pub use config::{Config, LeaseTime, Strategy};
pub use error::{Error, LossReason};
pub use failure::{BackendError, Failure, Outcome};
pub use fence::{Fence, FencingToken, StaleToken};
pub use holder::{HolderId, Inbox, ParseHolderIdError};
pub use keeper::{KeeperMode, Loss};
pub use mutex::{Mutex, MutexBuilder};
pub use name::Name;
pub use permit::{OwnedPermit, Permit};
pub use semaphore::{Semaphore, SemaphoreBuilder};
pub use status::{HolderStatus, Status, WaiterStatus};
