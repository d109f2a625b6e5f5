//! The conformance suite behind Sentinel.

use semafence::conformance::Clause;
use semafence_failovers::Driver;
use xtask::RedisFixture;

use crate::support::deployment;

#[path = "../shared/at.rs"]
mod at;

fn run_with(driver: Driver, clause: Clause) {
    // Nothing fails over here, and so nobody need be there to take over.
    if let Some(deployment) = deployment().replicas(0).sentinels(1).start_or_skip() {
        at::run(driver, deployment.url(), clause);
    }
}

at::with_every_driver!(super::run_with);
