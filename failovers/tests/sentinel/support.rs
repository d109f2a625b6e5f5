//! What the tests share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use semafence::{Client, LockBackend, Mutex};
use semafence_failovers::Driver;
use xtask::{Deployment, DeploymentBuilder, RedisFixture};

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Longer than any test: nothing is refreshed or ends for its own reasons.
pub(crate) const TTL: Duration = Duration::from_secs(60);

/// One test per client library, in a module named after what they show.
macro_rules! with_every_driver {
    ($(#[$doc:meta])* async fn $name:ident($driver:ident) $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, reason = "not every body needs all of them")]
            use super::*;

            async fn run($driver: semafence_failovers::Driver) -> Option<()> {
                $body
                Some(())
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn with_fred() {
                let _skipped_is_fine = run(semafence_failovers::Driver::Fred).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
            async fn with_redis_rs() {
                let _skipped_is_fine = run(semafence_failovers::Driver::RedisRs).await;
            }
        }
    };
}
pub(crate) use with_every_driver;

pub(crate) type AnyClient = Client<Arc<dyn LockBackend>>;

/// Any server, two replicas, three sentinels.
pub(crate) fn deployment() -> DeploymentBuilder {
    Deployment::any()
}

/// One more process.
pub(crate) fn client(driver: Driver, deployment: &Deployment) -> AnyClient {
    Client::new(driver.backend(&deployment.url()).unwrap()).unwrap()
}

/// A mutex without a grace.
pub(crate) fn mutex(client: &AnyClient, name: &str) -> Mutex<Arc<dyn LockBackend>> {
    let mutex = client.mutex(name).ttl(TTL).failover_grace(Duration::ZERO);
    mutex.build().unwrap()
}

/// Waits until something holds, and says how long that took.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what} within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    start.elapsed()
}
