#![forbid(unsafe_code)]
//! The acceptance test of the simulator: wrong designs put in on purpose, each of which it has to catch.
//!
//! A mutant is the shipped code with one defect. It is caught when the [checker](semafence_sim::check) says that a history
//! breaks an invariant which that defect may break, and does not say so of the same plan without the defect. Each has a
//! name, the invariants that may catch it, the profiles in which to look, and the plan that is tried first.
//!
//! # How mutants get in
//!
//! Nothing of what ships knows of them. Those of the *scripts* are edits of their text when they run
//! ([`ScriptEdit`](semafence_sim::ScriptEdit)). Those of the *Rust sources* are all compiled at once, each behind a switch
//! of its thread: the build scripts of two packages copy `src/` and `backends/sim/src` and put the edits of
//! `semafence-mutants-edits` in. Two packages, because the simulator has to be compiled against the copy of the core; its
//! sources compile as they are, since the copy of the core is a dependency under the name of the original. An edit names the
//! text that it replaces, which has to be in the file exactly once: otherwise the build fails and says which mutant has to
//! be looked at.

mod hunt;
mod mutant;
mod rows;
mod rust;
mod script;
mod scripts;

pub use hunt::{Catch, Prey, catch, tally};
pub use mutant::{Mutant, all};
pub use rows::KNOWN_WRONG_DESIGNS;
pub use script::{File, Replace};
