//! A Sentinel deployment for tests, each server and sentinel in a container of its own.
//!
//! What processes cannot show: a master that is alive and cut off from its replicas and sentinels, while whoever is on
//! its side still reaches it. A crate of its own, so that only these tests pay for testcontainers.
//!
//! ```no_run
//! use semafence_containers::Containers;
//! use xtask::RedisFixture;
//!
//! let Some(containers) = Containers::start_or_skip() else { return };
//! containers.master().partition();
//! ```

#![forbid(unsafe_code)]

mod container;
mod containers;
mod engine;
mod image;
mod network;

pub use container::Container;
pub use containers::Containers;
