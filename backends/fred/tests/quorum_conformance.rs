//! The conformance suite on a quorum of three real servers.

use std::sync::Arc;

use semafence::conformance::{Clause, Site};
use semafence::{Clock, LockBackend, Quorum, SystemClock};
use semafence_fred::Fred;
use xtask::{Flavor, Server, servers};

#[derive(Debug)]
struct Independent(Vec<Server>);

impl Site for Independent {
    fn backend(&self) -> Arc<dyn LockBackend> {
        let nodes = self.0.iter().map(|server| {
            let url = server.url();
            (url.clone(), Fred::from_url(&url).expect("a good address"))
        });
        Arc::new(Quorum::named(nodes).expect("an odd number of servers"))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

/// One of each version, and more of the first.
const FLAVORS: [Flavor; 3] = [Flavor::Redis70, Flavor::Valkey91, Flavor::Redis62];

fn run(count: usize, clause: Clause) {
    let started: Option<Vec<Server>> = FLAVORS[..count].iter().copied().map(servers::server_or_skip).collect();
    let Some(started) = started else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime
        .expect("a runtime starts")
        .block_on(clause(Arc::new(Independent(started))));
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

of!(three_servers, 3);
