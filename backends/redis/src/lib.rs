#![forbid(unsafe_code)]
//! Semaphores and mutexes on one Redis or Valkey server, over [redis-rs](redis).

mod backend;
mod connector;
mod failure;
mod lane;
mod link;
mod listener;
mod options;
mod reply;
mod tls;

pub use backend::Redis;
pub use options::{Options, Protocol};
/// The driver, of the version that [`Options::from_client`] takes its client from.
pub use redis;
pub use tls::Tls;

pub use semafence::{
    Attempt, BackendError, Busy, Claim, Clock, Error, Failure, Fence, FencingToken, Grant, HolderId, HolderStatus,
    Inbox, Instant, LockBackend, LossReason, Name, Outcome, ParseHolderIdError, Queued, Queueing, StaleToken, Standing,
    Status, SystemClock, Timestamp, WaiterStatus, Wakeup, script,
};
