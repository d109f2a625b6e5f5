//! Writes the copy of the simulator that this package compiles.

fn main() {
    semafence_mutants_edits::copy("../../backends/sim/src", "src", semafence_mutants_edits::SIM);
}
