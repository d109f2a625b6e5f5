//! Runs a test in a simulation, and says how to repeat it when it fails.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;

use crate::sim::Sim;

/// The environment variable that overrides the seed of [`run`]; set to nothing it counts as not set.
pub const SEED_VARIABLE: &str = "SEMAFENCE_SEED";

/// How long a scenario of [`run`] may take, in world time, unless [`Sim::set_time_limit`] says otherwise: a day.
///
/// Who waits for what never comes would wait for ever. A day of a keeper's work is half a minute of a test's.
pub const TIME_LIMIT: Duration = Duration::from_secs(86_400);

/// How much of the trace is shown of a scenario that does not end.
const LINES_SHOWN: usize = 20;

/// Runs `scenario` in a world of its own, on one thread and in virtual time, and hands its result on.
///
/// `SEMAFENCE_SEED` in the environment overrides the seed. A panic prints the command that repeats it; an error that the
/// scenario returns does not know its seed.
///
/// # Panics
///
/// When the scenario does, when it has not ended within its [`TIME_LIMIT`], when a script touched a key that it had not
/// declared, or inside of another tokio runtime: in a `#[tokio::test]`.
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
    run_with_deployments(seed, 1, replicas, scenario)
}

/// As [`run`], with several independent deployments, each a server with so many replicas: for a
/// [`Quorum`](semafence::Quorum).
///
/// # Panics
///
/// As [`run`], and without any deployment.
pub fn run_with_deployments<F: Future>(
    seed: u64,
    deployments: u32,
    replicas: u32,
    scenario: impl FnOnce(Sim) -> F,
) -> F::Output {
    assert!(
        tokio::runtime::Handle::try_current().is_err(),
        "use #[test] instead of #[tokio::test]: run brings its own runtime"
    );
    let seed = seed_or_override(seed);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing of the system");
    let result = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let sim = Sim::with_deployments(seed, deployments, replicas);
            let output = tokio::select! {
                biased;
                output = scenario(sim.clone()) => output,
                limit = time_is_up(&sim) => panic!("{}", endless(&sim, limit)),
            };
            let servers = (0..deployments).flat_map(|deployment| sim.deployment(deployment).servers());
            let violations: Vec<String> = servers.flat_map(|server| server.violations()).collect();
            assert_eq!(violations, Vec::<String>::new(), "a script touched undeclared keys");
            output
        })
    }));
    result.unwrap_or_else(|panic| {
        eprintln!("to repeat: {}", repeat_command(seed));
        resume_unwind(panic)
    })
}

/// Returns the limit once so much world time has passed. The scenario may move it meanwhile.
async fn time_is_up(sim: &Sim) -> Duration {
    loop {
        let limit = sim.time_limit();
        let left = limit.saturating_sub(sim.now());
        if left.is_zero() {
            return limit;
        }
        tokio::time::sleep(left).await;
    }
}

fn endless(sim: &Sim, limit: Duration) -> String {
    let lines: Vec<String> = sim
        .last_lines(LINES_SHOWN)
        .iter()
        .map(|line| format!("\n{line}"))
        .collect();
    format!(
        "the scenario has not ended after {} s of world time (Sim::set_time_limit allows more); what happened last:{}",
        limit.as_secs(),
        lines.concat()
    )
}

fn seed_or_override(seed: u64) -> u64 {
    read_seed(std::env::var(SEED_VARIABLE).ok().as_deref()).unwrap_or(seed)
}

/// # Panics
///
/// When the variable is set to something that is no number.
fn read_seed(text: Option<&str>) -> Option<u64> {
    let text = text.filter(|text| !text.is_empty())?;
    let seed = text.parse();
    Some(seed.unwrap_or_else(|_| panic!("{SEED_VARIABLE} is no number: {text}")))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_that_is_set_to_nothing_chooses_no_seed() {
        assert_eq!(read_seed(None), None);
        assert_eq!(read_seed(Some("")), None);
        assert_eq!(read_seed(Some("7")), Some(7));
    }
}
