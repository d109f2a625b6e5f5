#![forbid(unsafe_code)]
//! Semaphores and mutexes on Redis or Valkey, one server or a master behind Sentinel, over [fred].
//!
//! ```no_run
//! # async fn example() -> Result<(), semafence_fred::Error> {
//! let url = "redis-sentinel://10.0.0.1:26379?node=10.0.0.2:26379&node=10.0.0.3:26379&sentinelServiceName=main";
//! let client = semafence_fred::connect(url).await?;
//! let printers = client.semaphore("printers", 3).build()?;
//! let permit = printers.acquire().await?;
//! println!("slot {}, token {}", permit.slot(), permit.token());
//! permit.release().await?;
//! # Ok(())
//! # }
//! ```
//!
//! This crate brings the whole of [`semafence`] along. `Client`, `Semaphore` and `Mutex` are those of a [`Fred`]; a
//! program that chooses its backend at run time takes the generic ones from `semafence`.
//!
//! The user of the server needs the rights in the README of semafence, and `+ping`; those at the sentinels `+ping`,
//! `+subscribe`, `+sentinel|get-master-addr-by-name`, `+sentinel|master` and `&+switch-master`.
//!
//! # Behind Sentinel
//!
//! All sentinels are asked at once and listened to. A client leaves a master when its connection breaks, when it says that
//! it is a replica, after two timeouts in a row, and as soon as any sentinel announces another one. What was under way then
//! is of unknown outcome, and the core asks again. A promoted replica may not know the last grants, so
//! [`failover_grace`](Config::failover_grace) is on unless you say otherwise: new permits then wait for one ttl after each
//! failover and before the first grant of a deployment, while those that are held go on.

mod acknowledge;
mod backend;
pub mod blocking;
mod client;
mod connector;
mod ear;
mod failure;
mod lane;
mod line;
mod link;
mod listener;
mod mailboxes;
mod options;
mod pause;
mod reconnects;
mod reply;
mod sentinels;
mod tls;
mod url;
mod watch;

pub use backend::Fred;
pub use client::{Client, ClientBuilder, Mutex, MutexBuilder, Semaphore, SemaphoreBuilder, connect};
/// The driver, of the version that [`Options::from_config`] takes its configuration from.
pub use fred;
pub use options::Options;
pub use tls::Tls;

pub use semafence::{
    Acknowledgement, Added, Addition, Attempt, BackendError, Ballot, Busy, Cast, Claim, Clock, Closed, Config,
    DEFAULT_NAMESPACE, Error, Failure, Fence, FencingToken, Grant, HolderId, HolderStatus, Inbox, Instant, KeeperMode,
    LeaseTime, LockBackend, Loss, LossReason, Name, NoMajority, NodeFailure, Outcome, OwnedPermit, ParseHolderIdError,
    Permit, Queued, Queueing, Quorum, StaleToken, Standing, Status, Strategy, SystemClock, Timestamp, View, Vote,
    WaiterStatus, Wakeup, Wish, script,
};
