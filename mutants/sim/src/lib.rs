#![forbid(unsafe_code)]
// The sources are linted where they are; an edit that makes a mutant need not be pretty.
#![allow(warnings, clippy::all)]
//! A copy of the simulator that runs the copy of the core, with mutants of its own: the parts of a driver that the core
//! leaves to its backends.

include!(concat!(env!("OUT_DIR"), "/src/lib.rs"));

pub use semafence::mutant;
