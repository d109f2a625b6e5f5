#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

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
pub mod picture;
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
pub use run::{SEED_VARIABLE, TIME_LIMIT, run, run_with_deployments, run_with_replicas};
pub use scripts::ScriptEdit;
pub use server::Server;
pub use sim::Sim;

pub use semafence::{
    Acknowledgement, Added, Addition, Attempt, BackendError, Ballot, Busy, Cast, Claim, ClientBuilder, Clock, Config,
    Error, Failure, Fence, FencingToken, Grant, HolderId, HolderStatus, Inbox, Instant, KeeperMode, LeaseTime,
    LockBackend, Loss, LossReason, Name, NoMajority, NodeFailure, Outcome, OwnedPermit, ParseHolderIdError, Permit,
    Queued, Queueing, Quorum, StaleToken, Standing, Status, Strategy, SystemClock, Timestamp, View, Vote, WaiterStatus,
    Wakeup, Wish, script,
};

/// A client of the simulated server.
pub type Client = semafence::Client<SimBackend, SimClock>;
/// A semaphore on the simulated server.
pub type Semaphore = semafence::Semaphore<SimBackend, SimClock>;
/// A mutex on the simulated server.
pub type Mutex = semafence::Mutex<SimBackend, SimClock>;
