#![forbid(unsafe_code)]
//! The edits that make mutants of the Rust sources, and what applies them.
//!
//! An edit marks what it replaces with `«` and `»` within a text that must occur exactly once in its file: where it does
//! not, the code has moved, and the build of the mutants fails and says which one has to be looked at.

mod core;
mod edit;
mod sim;
mod source;

pub use core::CORE;
pub use edit::{Edit, mark};
pub use sim::SIM;
pub use source::copy;
