#![forbid(unsafe_code)]
//! A simulated Redis for [semafence](semafence): the scripts that ship, virtual time, and faults on purpose.
//!
//! The same client code, strategies, keeper and Lua run here as against a real server; only the server, the network and
//! the clocks are simulated, and everything that happens follows from a seed. Add it as a dev-dependency to test what
//! your program does when a lease is lost.

mod backend;
mod clock;
mod commands;
mod database;
mod interpreter;
mod keyspace;
mod network;
mod node;
mod number;
mod process;
mod random;
mod run;
mod server;
mod sim;
mod sync;
mod timeline;
mod trace;
mod world;
mod zset;

pub use backend::SimBackend;
pub use clock::SimClock;
pub use database::Refused;
pub use network::{Direction, Faults, Link, Message, NoFaults, Verdict};
pub use node::Persistence;
pub use process::Process;
pub use random::{Random, draw};
pub use run::{SEED_VARIABLE, run};
pub use server::Server;
pub use sim::Sim;
