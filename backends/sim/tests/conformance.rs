//! The conformance suite on the simulator.

use std::sync::Arc;

use semafence::conformance::{Clause, Site};
use semafence::{Clock, KeeperMode, LockBackend};
use semafence_sim::Sim;

#[derive(Debug)]
struct OneWorld(Sim);

impl Site for OneWorld {
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
    for seed in 1..=5 {
        semafence_sim::run(seed, |sim| clause(Arc::new(OneWorld(sim))));
    }
}

semafence::conformance!(run);
