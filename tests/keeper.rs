//! The keeper under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures::FutureExt;
use futures::stream::BoxStream;
use semafence::{
    Added, Addition, Attempt, BackendError, Claim, Client, FencingToken, Grant, HolderId, Inbox, LockBackend, Name,
    Queueing, Standing, Status, Timestamp, Wakeup,
};

const TTL: Duration = Duration::from_secs(1);

/// Grants everything to the first who asks, and never answers anybody else.
#[derive(Debug, Default)]
struct Slow {
    asked: AtomicBool,
    refreshed: Arc<AtomicU64>,
    released: Arc<AtomicU64>,
}

#[async_trait]
impl LockBackend for Slow {
    async fn acquire(&self, claim: &Claim, _: Queueing) -> Result<Attempt, BackendError> {
        if self.asked.swap(true, Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        Ok(Attempt::Granted(Grant {
            token: FencingToken::from_u64(1),
            slots: vec![0],
            limit: claim.limit,
            other_limit: None,
        }))
    }
    async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.refreshed.fetch_add(1, Ordering::Relaxed);
        vec![Ok(Standing::Held); claims.len()]
    }
    async fn release(&self, _: &Claim) -> Result<Standing, BackendError> {
        self.released.fetch_add(1, Ordering::Relaxed);
        Ok(Standing::Absent)
    }
    async fn time(&self) -> Result<Timestamp, BackendError> {
        unreachable!()
    }
    async fn notify(&self, _: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
        unreachable!()
    }
    async fn inspect(&self, _: &Name) -> Result<Status, BackendError> {
        unreachable!()
    }
    async fn list(&self, _: &str) -> Result<Vec<Name>, BackendError> {
        unreachable!()
    }
    async fn force_release(&self, _: &Name, _: HolderId) -> Result<Standing, BackendError> {
        unreachable!()
    }
    async fn resize(&self, _: &Name, _: Option<u32>) -> Result<Option<u32>, BackendError> {
        unreachable!()
    }
    async fn add_permits(&self, _: &Addition) -> Result<Added, BackendError> {
        unreachable!()
    }
    fn keeper_handle(&self) -> Arc<dyn LockBackend> {
        Arc::new(Self {
            asked: AtomicBool::new(true),
            refreshed: Arc::clone(&self.refreshed),
            released: Arc::clone(&self.released),
        })
    }
}

/// SCENARIOS 22.
#[test]
fn a_lease_is_kept_while_others_are_given_back_without_end() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let _entered = runtime.enter();
    let backend = Slow::default();
    let (refreshed, released) = (Arc::clone(&backend.refreshed), Arc::clone(&backend.released));
    let client = Client::new(backend).unwrap();
    let semaphore = client.semaphore("name", 3).ttl(TTL).build().unwrap();
    let permit = semaphore.try_acquire().now_or_never().unwrap().unwrap().unwrap();

    let start = Instant::now();
    while start.elapsed() < TTL * 3 {
        let _dropped_in_flight = semaphore.try_acquire().now_or_never();
    }

    let counts = (released.load(Ordering::Relaxed), refreshed.load(Ordering::Relaxed));
    assert!(
        permit.is_held(),
        "lost after {} releases and {} refreshes",
        counts.0,
        counts.1
    );
}
