//! A database that refuses writers whose permit has gone to somebody else.
//!
//! A lease cannot stop a process that is paused between looking at it and writing. The database can: it remembers the
//! newest token of each slot, and refuses older ones.

#![forbid(unsafe_code)]

mod ledger;

pub use ledger::{Ledger, Refused, TABLE, admit};
