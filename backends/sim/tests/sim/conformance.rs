//! The conformance suite, in virtual time.

use std::sync::Arc;

use semafence::conformance::{Clause, Site};
use semafence::{Clock, KeeperMode, LockBackend};
use semafence_sim::{Sim, run as run_sim};

#[derive(Debug)]
struct Simulated(Sim);

impl Site for Simulated {
    fn backend(&self) -> Arc<dyn LockBackend> {
        Arc::new(self.0.backend())
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.0.clock())
    }

    fn keeper(&self) -> KeeperMode {
        KeeperMode::Task
    }
}

fn run(_clause_name: &str, clause: Clause) {
    run_sim(1, |sim| clause(Arc::new(Simulated(sim))));
}

semafence::conformance!(run);
