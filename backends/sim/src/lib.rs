#![forbid(unsafe_code)]
//! A simulated Redis for [semafence]: the scripts that ship, virtual time, and faults on purpose.
//!
//! The same client code, strategies, keeper and Lua run here as against a real server; only the server, the network and
//! the clocks are simulated, and everything that happens follows from a seed. Add it as a dev-dependency to test what
//! your program does when a lease is lost.
//!
//! ```
//! use std::time::Duration;
//!
//! semafence_sim::run(1, |sim| async move {
//!     let mutex = sim.client().mutex("migrations").build()?;
//!     let permit = mutex.lock().await?;
//!     let other = sim.client().mutex("migrations").build()?;
//!     assert!(other.try_lock().await?.is_none());
//!
//!     tokio::time::sleep(Duration::from_secs(3600)).await; // Virtual: it takes no time.
//!     assert!(permit.is_held());
//!
//!     permit.release().await?;
//!     assert!(other.try_lock().await?.is_some());
//!     Ok::<(), semafence_sim::Error>(())
//! })?;
//! # Ok::<(), semafence_sim::Error>(())
//! ```

mod backend;
pub mod check;
mod clock;
mod commands;
mod database;
mod deployment;
mod driver;
pub mod explore;
pub mod history;
mod interpreter;
mod keyspace;
mod marks;
mod network;
mod node;
mod number;
mod process;
mod random;
mod run;
mod scripts;
mod server;
mod sim;
mod site;
mod sync;
mod timeline;
mod trace;
mod world;
mod zset;

pub use backend::SimBackend;
pub use clock::SimClock;
pub use database::Refused;
pub use deployment::Deployment;
pub use marks::Marks;
pub use network::{Direction, Faults, Link, Message, NoFaults, Verdict};
pub use node::Persistence;
pub use process::Process;
pub use random::{Random, draw};
pub use run::{SEED_VARIABLE, run};
pub use scripts::ScriptEdit;
pub use server::Server;
pub use sim::Sim;

pub use semafence::{
    Attempt, BackendError, Busy, Claim, ClientBuilder, Clock, Config, Error, Failure, Fence, FencingToken, Grant,
    HolderId, HolderStatus, Inbox, Instant, KeeperMode, LeaseTime, LockBackend, Loss, LossReason, Name, Outcome,
    OwnedPermit, ParseHolderIdError, Permit, Queued, Queueing, StaleToken, Standing, Status, Strategy, SystemClock,
    Timestamp, WaiterStatus, Wakeup, script,
};

/// A client of the simulated server.
pub type Client = semafence::Client<SimBackend, SimClock>;
/// A semaphore on the simulated server.
pub type Semaphore = semafence::Semaphore<SimBackend, SimClock>;
/// A mutex on the simulated server.
pub type Mutex = semafence::Mutex<SimBackend, SimClock>;
