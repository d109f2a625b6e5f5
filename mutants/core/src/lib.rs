#![forbid(unsafe_code)]
// The sources are linted where they are; an edit that makes a mutant need not be pretty.
#![allow(warnings, clippy::all)]
//! A copy of the core in which every mutant of it lies dormant behind a switch of [`mutant`].

include!(concat!(env!("OUT_DIR"), "/src/lib.rs"));

pub mod mutant;
