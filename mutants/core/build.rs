//! Writes the copy of the core that this package compiles.

fn main() {
    // The scripts come along as they are: they are edited when they run.
    semafence_mutants_edits::copy("../../lua", "lua", &[]);
    semafence_mutants_edits::copy("../../src", "src", semafence_mutants_edits::CORE);
}
