//! Mutants of the scripts.
use crate::mutant::Mutant;
pub(crate) const MUTANTS: &[Mutant] = &[];
