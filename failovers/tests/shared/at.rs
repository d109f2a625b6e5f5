//! The conformance suite at any address, with every client library.

use std::sync::Arc;

use semafence::conformance::{Clause, Site};
use semafence::{Clock, LockBackend, SystemClock};
use semafence_failovers::Driver;

/// What a client library reaches at an address.
#[derive(Debug)]
struct At {
    driver: Driver,
    url: String,
}

impl Site for At {
    fn backend(&self) -> Arc<dyn LockBackend> {
        self.driver.backend(&self.url).expect("a good address")
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

/// Runs a clause where nothing has been yet.
pub(crate) fn run(driver: Driver, url: String, clause: Clause) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime
        .expect("a runtime starts")
        .block_on(clause(Arc::new(At { driver, url })));
}

/// One test for each clause and client library; `$run` takes a library and a clause.
macro_rules! with_every_driver {
    ($run:path) => {
        mod fred {
            fn run(_clause_name: &str, clause: semafence::conformance::Clause) {
                $run(semafence_failovers::Driver::Fred, clause);
            }

            semafence::conformance!(run);
        }

        mod redis_rs {
            fn run(_clause_name: &str, clause: semafence::conformance::Clause) {
                $run(semafence_failovers::Driver::RedisRs, clause);
            }

            semafence::conformance!(run);
        }
    };
}
pub(crate) use with_every_driver;
