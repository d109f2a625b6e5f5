//! The conformance suite in containers: a server alone, and the master behind Sentinel.

use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

use semafence_containers::{Container, Containers};
use xtask::{Node, RedisFixture};

#[path = "../../failovers/tests/shared/at.rs"]
mod at;

/// Deployments that all tests share, since starting one takes seconds. Each test has one to itself, for messages go to all
/// databases, and a database of its own there. The process leaves them running; they are removed after its end.
struct Pool<T> {
    deployments: [Mutex<Option<T>>; 2],
    tests: AtomicU16,
}

impl<T> Pool<T> {
    const fn new() -> Self {
        Self {
            deployments: [Mutex::new(None), Mutex::new(None)],
            tests: AtomicU16::new(0),
        }
    }

    /// Waits for a turn; does nothing where no deployment can be had.
    fn run(&self, start_or_skip: impl FnOnce() -> Option<T>, test: impl FnOnce(&T, u16)) {
        let number = self.tests.fetch_add(1, Ordering::Relaxed);
        let turn = &self.deployments[usize::from(number) % self.deployments.len()];
        let mut deployment = turn.lock().unwrap_or_else(PoisonError::into_inner);
        if deployment.is_none() {
            *deployment = start_or_skip();
        }
        if let Some(deployment) = &*deployment {
            test(deployment, number);
        }
    }
}

mod single {
    use super::*;

    static SERVERS: Pool<Container> = Pool::new();

    fn run_with(driver: semafence_failovers::Driver, clause: semafence::conformance::Clause) {
        SERVERS.run(Container::single_or_skip, |server, database| {
            at::run(driver, format!("redis://{}/{database}", server.address()), clause);
        });
    }

    at::with_every_driver!(super::run_with);
}

mod sentinel {
    use super::*;

    static DEPLOYMENTS: Pool<Containers> = Pool::new();

    fn run_with(driver: semafence_failovers::Driver, clause: semafence::conformance::Clause) {
        DEPLOYMENTS.run(Containers::start_or_skip, |deployment, database| {
            let url = deployment.url().replacen("/0?", &format!("/{database}?"), 1);
            at::run(driver, url, clause);
        });
    }

    at::with_every_driver!(super::run_with);
}
