#![forbid(unsafe_code)]
//! Semaphores and mutexes on one Redis or Valkey server, or on the master behind Sentinel, over [redis-rs](redis).
//!
//! ```no_run
//! # async fn example() -> Result<(), semafence_redis::Error> {
//! let client = semafence_redis::connect("redis://127.0.0.1/").await?;
//! let printers = client.semaphore("printers", 3).build()?;
//! let permit = printers.acquire().await?;
//! println!("slot {}, token {}", permit.slot(), permit.token());
//! permit.release().await?;
//! # Ok(())
//! # }
//! ```
//!
//! This crate brings the whole of [`semafence`] along. `Client`, `Semaphore` and `Mutex` are those of a [`Redis`]; a
//! program that chooses its backend at run time takes the generic ones from `semafence`.

mod acknowledge;
mod backend;
pub mod blocking;
mod client;
mod connector;
mod endpoint;
mod failure;
mod lane;
mod link;
mod listener;
mod lookout;
mod mailboxes;
mod options;
mod pause;
mod quorum;
mod reconnects;
mod reply;
mod route;
mod sentinel_url;
mod sentinels;
mod tls;
mod watchers;

pub use backend::Redis;
pub use client::{Client, ClientBuilder, Mutex, MutexBuilder, Semaphore, SemaphoreBuilder, connect};
pub use options::{Options, Protocol};
pub use quorum::{Quorum, connect_quorum, quorum_options};
/// The driver, of the version that [`Options::from_client`] takes its client from.
pub use redis;
pub use sentinels::Sentinels;
pub use tls::Tls;

pub use semafence::{
    Acknowledgement, Added, Addition, Attempt, BackendError, Ballot, Busy, Cast, Claim, Clock, Closed, Config,
    DEFAULT_NAMESPACE, Error, Failure, Fence, FencingToken, Grant, HolderId, HolderStatus, Inbox, Instant, KeeperMode,
    LeaseTime, LockBackend, Loss, LossReason, Name, NoMajority, NodeFailure, Outcome, OwnedPermit, ParseHolderIdError,
    Permit, Queued, Queueing, StaleToken, Standing, Status, Strategy, SystemClock, Timestamp, View, Vote, WaiterStatus,
    Wakeup, Wish, script,
};
