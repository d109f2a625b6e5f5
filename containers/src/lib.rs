//! A Sentinel deployment for tests, each server and sentinel in a container of its own.
//!
//! They meet as in production, over a network of the engine's. A crate of its own, so that only these tests pay for
//! testcontainers.
//!
//! ```no_run
//! use semafence_containers::Containers;
//! use xtask::RedisFixture;
//!
//! let Some(containers) = Containers::start_or_skip() else { return };
//! containers.partition(&[containers.master()]);
//! ```

#![forbid(unsafe_code)]

mod container;
mod containers;
mod engine;
mod image;
mod network;
mod reaper;

pub use container::Container;
pub use containers::Containers;
