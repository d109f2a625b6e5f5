#![forbid(unsafe_code)]
// So that the examples of the documents are compiled, and run where they need no server.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]
#![cfg_attr(doctest, doc = include_str!("../CONTRIBUTING.md"))]
//! Distributed counting semaphores and mutexes with leases, fencing tokens and a fair queue.
//!
//! This crate is the core: what a user can observe, without a driver. Programs take a backend, which brings the core along:
//! `semafence-redis` for a Redis or Valkey server, `semafence-sim` for a simulated one.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//!
//! semafence_sim::run(1, |sim| async move {
//!     let client = sim.client();
//!     let printers = client.semaphore("printers", 3).ttl(Duration::from_secs(15)).build()?;
//!
//!     let permit = printers.acquire().await?;
//!     let pages = permit.run(async { 12 }).await?;
//!     println!("{pages} pages from slot {} with token {}", permit.slot(), permit.token());
//!     permit.release().await?;
//!     Ok::<(), semafence::Error>(())
//! })?;
//! # Ok::<(), semafence::Error>(())
//! ```
//!
//! # Where to start
//!
//! - A [`Client`] makes each [`Semaphore`] and [`Mutex`]; [`Config`] has everything that can be set.
//! - [`Semaphore::acquire`] waits for a [`Permit`], which is kept alive until it is released, dropped or lost.
//! - A resource that is guarded checks slot and [`FencingToken`] with a [`Fence`], or with a table of its own.
//! - [`blocking`] is the same API for threads that run no async code.
//! - [`Error`] has one variant for each thing that a caller would do differently.
//! - [`guide`] has what is too long for an item: [what is guaranteed under which fault](guide::guarantees), [how to run
//!   it](guide::operations), [what `tracing` is told](guide::tracing), [how to come from the predecessors](guide::migrating),
//!   and [how to write a backend](guide::writing_a_backend).
//! - [`LockBackend`] and [`Clock`] are the seams for who writes a backend; the feature `conformance` has the tests for it.
//!
//! # Features
//!
//! - `serde`: [`Config`] as data, with durations as `"1m 30s"` or a number of seconds.
//! - `metrics`: what [`Client::stats`] answers with, and histograms, for the facade of that name: see the module `metrics`.
//! - `conformance`: the suite that every backend passes.

mod acknowledgements;
mod acknowledger;
mod acquisition;
mod backend;
mod backoff;
pub mod blocking;
mod call;
mod client;
mod clock;
mod commands;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod core;
mod counting;
#[cfg(feature = "serde")]
mod duration;
mod error;
mod failure;
mod fence;
mod forgotten;
pub mod guide;
mod held;
mod holder;
mod keeper;
mod lease;
mod meter;
#[cfg(feature = "metrics")]
pub mod metrics;
mod mutex;
mod name;
mod outage;
mod permit;
mod quorum;
mod random;
mod reconnect;
mod refreshes;
mod reply;
mod rounds;
mod schedule;
pub mod script;
mod semaphore;
mod setters;
mod stall;
mod stats;
mod status;
mod trace;
mod vote;
mod waiters;

pub use acknowledger::{Acknowledger, WaitingLine};
pub use backend::{
    Acknowledgement, Added, Addition, Attempt, Busy, Claim, Grant, LockBackend, Queued, Queueing, Standing, Wakeup,
};
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
pub use quorum::{NoMajority, NodeFailure, Quorum};
pub use reconnect::{Reconnect, ServerRun};
pub use semaphore::{Semaphore, SemaphoreBuilder};
pub use stall::Stall;
pub use stats::{
    AcquireCounts, CommandStats, Counts, LossCounts, NameStats, RefreshCounts, ReleaseCounts, ReturnCounts, Stats,
    Timing,
};
pub use status::{HolderStatus, Status, WaiterStatus};
pub use vote::{Ballot, Cast, Stage, View, Vote, Wish};
