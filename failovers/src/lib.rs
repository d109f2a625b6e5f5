//! What must hold over real failovers, whatever the backend: the tests and the campaign of this crate.

#![forbid(unsafe_code)]

mod driver;

pub use driver::Driver;
