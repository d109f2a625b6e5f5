//! The conformance suite on a master behind Sentinel.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use semafence::conformance::{Clause, Site};
use semafence::{Clock, LockBackend, Queueing, SystemClock};
use semafence_fred::Fred;
use xtask::{Deployment, RedisFixture};

mod support;

/// One for all clauses that run or wait to run: it takes seconds until one has settled.
fn deployment() -> Option<Arc<Deployment>> {
    static SHARED: Mutex<Weak<Deployment>> = Mutex::new(Weak::new());
    let mut shared = lock(&SHARED);
    if let Some(deployment) = shared.upgrade() {
        return Some(deployment);
    }
    let deployment = Arc::new(Deployment::any().start_or_skip()?);
    *shared = Arc::downgrade(&deployment);
    Some(deployment)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Master(Arc<Deployment>);

impl Site for Master {
    fn backend(&self) -> Arc<dyn LockBackend> {
        Arc::new(Fred::from_url(&self.0.url()).expect("a good address"))
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(SystemClock)
    }
}

fn run(_clause_name: &str, clause: Clause) {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let Some(deployment) = deployment() else { return };
    let _turn = lock(&ONE_AT_A_TIME);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.expect("a runtime starts").block_on(async {
        empty(&deployment).await;
        clause(Arc::new(Master(Arc::clone(&deployment)))).await;
    });
}

/// Makes it as new, but for a generation of servers that has been there for long: a young one grants nothing for a grace.
async fn empty(deployment: &Deployment) {
    let master = deployment.master();
    let emptied = master.command(&["FLUSHALL"]);
    assert!(!emptied.is_error(), "{emptied}");
    let fred = Fred::from_url(&deployment.url()).expect("a good address");
    let claim = support::claim("first");
    fred.acquire(&claim, Queueing::Never).await.expect("an answer");
    fred.release(&claim).await.expect("an answer");
    master.command(&["HSET", "semafence:generation", "at", "0"]);
    for key in claim.name.keys().iter().filter(|key| *key != "semafence:generation") {
        master.command(&["DEL", key]);
    }
}

semafence::conformance!(run);
