//! The conformance suite on a quorum of simulated servers.

use std::sync::Arc;

use semafence::conformance::{Clause, Site};
use semafence::{Clock, KeeperMode, LockBackend};
use semafence_sim::Sim;

#[derive(Debug)]
struct Independent(Sim);

impl Site for Independent {
    fn backend(&self) -> Arc<dyn LockBackend> {
        Arc::new(self.0.quorum_of(&self.0.process()).expect("an odd number of servers"))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.0.clock())
    }

    fn keeper(&self) -> KeeperMode {
        KeeperMode::Task
    }
}

fn run(servers: u32, clause: Clause) {
    for seed in 1..=5 {
        semafence_sim::run_with_deployments(seed, servers, 0, |sim| clause(Arc::new(Independent(sim))));
    }
}

macro_rules! of {
    ($module:ident, $servers:literal) => {
        mod $module {
            fn run(_clause_name: &str, clause: semafence::conformance::Clause) {
                super::run($servers, clause);
            }

            semafence::conformance!(run);
        }
    };
}

of!(one_server, 1);
of!(three_servers, 3);
of!(five_servers, 5);
