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

mod builder;
mod clock;
mod error;
mod port;
mod process;
mod resp;
mod server;
pub mod servers;
mod tls;

pub use builder::Builder;
pub use error::StartError;
pub use resp::{Connection, Reply};
pub use server::Server;
pub use servers::Flavor;
