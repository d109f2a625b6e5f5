//! Test tooling of the semafence workspace: real servers for tests, and no Redis driver.
//!
//! Tests name this crate as a dev-dependency and ask for a server:
//!
//! ```
//! use xtask::servers::{Flavor, server_or_skip};
//!
//! let Some(server) = server_or_skip(Flavor::Redis70) else { return };
//! assert_eq!(server.command(&["PING"]).text(), "PONG");
//! ```
//!
//! `cargo xtask setup` installs the servers; `cargo xtask help` lists the program's other commands.

#![forbid(unsafe_code)]

mod access;
mod announcements;
mod builder;
mod clock;
mod configuration;
mod deployment;
mod deployment_builder;
mod error;
mod failover;
mod fixture;
mod location;
mod login;
#[cfg_attr(not(target_os = "linux"), path = "no_namespace.rs")]
mod namespace;
mod network;
mod node;
mod place;
mod port;
mod process;
pub mod prometheus;
mod resp;
mod scratch;
mod sentinel;
mod server;
pub mod servers;
mod settled;
mod side;
mod tls;
mod view;

pub use access::Access;
pub use announcements::{Announcement, Announcements};
pub use builder::Builder;
pub use deployment::Deployment;
pub use deployment_builder::DeploymentBuilder;
pub use error::StartError;
pub use failover::Failover;
pub use fixture::RedisFixture;
pub use login::Login;
pub use node::Node;
pub use resp::{Connection, Reply};
pub use server::Server;
pub use servers::Flavor;
pub use side::Side;
