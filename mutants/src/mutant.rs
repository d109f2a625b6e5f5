//! A mutant, and the list of all.

use semafence_sim::check::Invariant;
use semafence_sim::explore::Profile;

use crate::script::Replace;
use crate::{rust, scripts};

/// The shipped code with one defect.
#[derive(Debug, Clone, Copy)]
pub struct Mutant {
    /// Its name: what is wrong.
    pub name: &'static str,
    /// Which of the [designs that are known to be wrong](crate::KNOWN_WRONG_DESIGNS) it is, if any.
    pub row: Option<&'static str>,
    /// What it changes in the scripts; nothing for one of the Rust sources, whose edits have its name.
    pub scripts: &'static [Replace],
    /// The invariants that may catch it.
    pub caught_by: &'static [Invariant],
    /// Where to look for it.
    pub profiles: &'static [Profile],
    /// Which plan to try first: one that caught it when it was last hunted.
    pub first: (Profile, u64),
}

/// Every mutant: those of the Rust sources, then those of the scripts.
pub fn all() -> impl Iterator<Item = &'static Mutant> {
    rust::MUTANTS.iter().chain(scripts::MUTANTS)
}
