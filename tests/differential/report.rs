//! What is said about a difference.

use xtask::Flavor;

use crate::step::Run;

/// Where two servers differ.
#[derive(Debug)]
pub(crate) struct Difference {
    /// Of the step; after the last one all keys are compared.
    pub(crate) index: usize,
    pub(crate) real: String,
    pub(crate) simulated: String,
}

/// Steps, replies, and how to see it again.
pub(crate) fn report(flavor: Flavor, seed: u64, drawn: usize, run: &Run, difference: &Difference) -> String {
    let mut text = format!(
        "{flavor} and the simulator differ. Seed {seed}, {} of {drawn} steps are enough:\n",
        run.steps.len()
    );
    for (index, step) in run.steps.iter().enumerate() {
        let mark = if index == difference.index { "->" } else { "  " };
        text += &format!("{mark} {step}\n");
    }
    if difference.index == run.steps.len() {
        text += "-> compare all keys and messages\n";
    }
    text += &format!("{flavor}: {}\nsimulator: {}\n", difference.real, difference.simulated);
    text + &format!("to repeat: {}", repeat_command(seed))
}

/// The one command that shows it again.
pub(crate) fn repeat_command(seed: u64) -> String {
    let thread = std::thread::current();
    let test = thread.name().unwrap_or_default();
    format!("SEMAFENCE_SEED={seed} SEMAFENCE_RUNS=1 cargo test --test differential {test}")
}
