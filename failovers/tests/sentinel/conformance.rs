//! The conformance suite behind Sentinel.

use std::sync::Arc;

use semafence::conformance::{Clause, Site};
use semafence::{Clock, LockBackend, SystemClock};
use semafence_failovers::Driver;
use xtask::{Deployment, RedisFixture};

use crate::support::deployment;

#[derive(Debug)]
struct BehindSentinel {
    driver: Driver,
    deployment: Deployment,
}

impl Site for BehindSentinel {
    fn backend(&self) -> Arc<dyn LockBackend> {
        self.driver.backend(&self.deployment.url()).expect("a good address")
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

fn run_with(driver: Driver, clause: Clause) {
    // Nothing fails over here, and so nobody need be there to take over.
    let Some(deployment) = deployment().replicas(0).sentinels(1).start_or_skip() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime
        .expect("a runtime starts")
        .block_on(clause(Arc::new(BehindSentinel { driver, deployment })));
}

macro_rules! with {
    ($module:ident, $driver:ident) => {
        mod $module {
            fn run(_clause_name: &str, clause: semafence::conformance::Clause) {
                super::run_with(super::Driver::$driver, clause);
            }

            semafence::conformance!(run);
        }
    };
}

with!(fred, Fred);
with!(redis_rs, RedisRs);
