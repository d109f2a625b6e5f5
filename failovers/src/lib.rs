//! What must hold over real failovers, whatever the backend: the tests of this crate, and its program, which repeats
//! failovers under load and judges what every process saw.

#![forbid(unsafe_code)]

pub mod acks;
pub mod campaign;
mod delays;
mod driver;
mod failover;
mod load;
mod moment;
pub mod pairs;
mod sides;
mod sighting;
mod split;
mod verdict;
pub mod worker;

pub use driver::Driver;
