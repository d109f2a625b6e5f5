//! The conformance suite on every server version that `cargo xtask setup` installs.

use std::sync::Arc;

use semafence::conformance::{Clause, Site};
use semafence::{Clock, LockBackend, SystemClock};
use semafence_fred::Fred;
use xtask::{Flavor, Server, servers};

#[derive(Debug)]
struct OneServer(Server);

impl Site for OneServer {
    fn backend(&self) -> Arc<dyn LockBackend> {
        Arc::new(Fred::from_url(&self.0.url()).expect("a good address"))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

fn run(flavor: Flavor, clause: Clause) {
    let Some(server) = servers::server_or_skip(flavor) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime
        .expect("a runtime starts")
        .block_on(clause(Arc::new(OneServer(server))));
}

macro_rules! on {
    ($module:ident, $flavor:ident) => {
        mod $module {
            fn run(_clause_name: &str, clause: semafence::conformance::Clause) {
                super::run(super::Flavor::$flavor, clause);
            }

            semafence::conformance!(run);
        }
    };
}

on!(redis_6_2, Redis62);
on!(redis_7_0, Redis70);
on!(redis_8_2, Redis82);
on!(valkey_9_1, Valkey91);
