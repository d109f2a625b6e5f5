//! Runs a test in a simulation, and says how to repeat it when it fails.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use crate::sim::Sim;

/// The environment variable that overrides the seed of [`run`].
pub const SEED_VARIABLE: &str = "SEMAFENCE_SEED";

/// Runs `scenario` in a world of its own, on one thread and in virtual time, and hands its result on.
///
/// `SEMAFENCE_SEED` in the environment overrides the seed. A panic prints the command that repeats it.
///
/// # Panics
///
/// When the scenario does, when a script touched a key that it had not declared, or inside of another tokio runtime.
pub fn run<F: Future>(seed: u64, scenario: impl FnOnce(Sim) -> F) -> F::Output {
    run_with_replicas(seed, 0, scenario)
}

/// As [`run`], with a server that has so many replicas: for [failovers](crate::Deployment::failover) and
/// [splits](crate::Deployment::split).
///
/// # Panics
///
/// As [`run`].
pub fn run_with_replicas<F: Future>(seed: u64, replicas: u32, scenario: impl FnOnce(Sim) -> F) -> F::Output {
    let seed = seed_or_override(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the system");
    let result = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let sim = Sim::with_deployments(seed, 1, replicas);
            let output = scenario(sim.clone()).await;
            let servers = sim.deployment(0).servers();
            let violations: Vec<String> = servers.iter().flat_map(crate::Server::violations).collect();
            assert_eq!(violations, Vec::<String>::new(), "a script touched undeclared keys");
            output
        })
    }));
    result.unwrap_or_else(|panic| {
        eprintln!("to repeat: {}", repeat_command(seed));
        resume_unwind(panic)
    })
}

/// The seed from the environment, or else `seed`.
///
/// # Panics
///
/// When the variable is set to something that is no number.
fn seed_or_override(seed: u64) -> u64 {
    match std::env::var(SEED_VARIABLE) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{SEED_VARIABLE} is no number: {text}")),
        Err(_) => seed,
    }
}

fn repeat_command(seed: u64) -> String {
    // Cargo tells a test which package it belongs to, and the test harness names its threads after the tests.
    let package = std::env::var("CARGO_PKG_NAME").map_or_else(|_| String::new(), |name| format!(" -p {name}"));
    let thread = std::thread::current();
    let test = thread.name().filter(|&name| name != "main").unwrap_or_default();
    format!("{SEED_VARIABLE}={seed} cargo test{package} {test}")
        .trim_end()
        .to_owned()
}
