//! What the clauses work with.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Site;
use crate::backend::{Acknowledgement, Added, Addition, Attempt, Claim, Grant, LockBackend, Queueing, Standing};
use crate::client::Client;
use crate::clock::Clock;
use crate::holder::{HolderId, Inbox};
use crate::keeper::Loss;
use crate::name::Name;
use crate::status::Status;

/// Of leases that a clause waits to end: short enough for that, and a sixth of it, which one verb may take, long enough
/// for a busy machine.
pub(super) const TTL: Duration = Duration::from_millis(1500);

/// Of leases that only end because of what a clause does.
pub(super) const LONG: Duration = Duration::from_secs(10);

/// Far more than a machine takes to do anything, for waits that must end.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);

pub(super) type AnyClient = Client<Arc<dyn LockBackend>, Arc<dyn Clock>>;

/// A site, one process on it, and fresh ids.
#[derive(Debug)]
pub(super) struct Lab {
    pub(super) site: Arc<dyn Site>,
    pub(super) backend: Arc<dyn LockBackend>,
    clock: Arc<dyn Clock>,
    ids: AtomicU64,
}

impl Lab {
    pub(super) fn new(site: Arc<dyn Site>) -> Self {
        Self {
            backend: site.backend(),
            clock: site.clock(),
            site,
            ids: AtomicU64::new(1),
        }
    }

    fn id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// A claim by a fresh holder for one of `limit` permits.
    pub(super) fn claim(&self, limit: u32) -> Claim {
        self.claim_of("name", limit)
    }

    /// The same for a lease of [`TTL`], to be outlasted.
    pub(super) fn brief_claim(&self, limit: u32) -> Claim {
        Claim {
            ttl: TTL,
            ..self.claim(limit)
        }
    }

    pub(super) fn claim_of(&self, name: &str, limit: u32) -> Claim {
        Claim {
            name: Name::new("conformance", name).expect("a good name"),
            holder: HolderId::from_bits(u128::from(self.id())),
            limit,
            weight: 1,
            ttl: LONG,
            window: LONG,
            patience: Duration::from_secs(60),
            inbox: Inbox::from_bits(1),
            meta: "process=clause".into(),
            client_time: None,
            stepless: false,
            doubtful: false,
            grace: Duration::ZERO,
            grant: None,
        }
    }

    /// A fresh addition to the name of [`claim`](Self::claim), by a program that believes in `limit` permits.
    pub(super) fn addition(&self, limit: u32, permits: u32) -> Addition {
        let claim = self.claim(limit);
        Addition {
            name: claim.name,
            id: claim.holder,
            permits,
            limit,
        }
    }

    pub(super) async fn add_permits(&self, limit: u32, permits: u32) -> Added {
        let added = self.backend.add_permits(&self.addition(limit, permits)).await;
        added.expect("an addition is answered")
    }

    pub(super) async fn ask(&self, claim: &Claim, queueing: Queueing) -> Attempt {
        self.backend
            .acquire(claim, queueing)
            .await
            .expect("an acquire is answered")
    }

    pub(super) async fn grant(&self, claim: &Claim) -> Grant {
        match self.ask(claim, Queueing::Never).await {
            Attempt::Granted(grant) => grant,
            other => panic!("a free permit was not granted: {other:?}"),
        }
    }

    pub(super) async fn is_busy(&self, claim: &Claim) -> bool {
        matches!(self.ask(claim, Queueing::Never).await, Attempt::Busy(_))
    }

    pub(super) async fn join(&self, claim: &Claim, queueing: Queueing) {
        let attempt = self.ask(claim, queueing).await;
        assert!(
            matches!(attempt, Attempt::Queued(_)),
            "a waiter joins the queue: {attempt:?}"
        );
    }

    pub(super) async fn release(&self, claim: &Claim) -> Standing {
        self.backend.release(claim).await.expect("a release is answered")
    }

    pub(super) async fn refresh(&self, claim: &Claim) -> Standing {
        let mut answers = self.backend.refresh(std::slice::from_ref(claim)).await;
        assert_eq!(answers.len(), 1, "one answer per claim");
        answers.remove(0).expect("a refresh is answered")
    }

    /// The claim of a holder that was granted this.
    pub(super) fn holding(&self, claim: &Claim, grant: Grant) -> Claim {
        Claim {
            grant: Some(Arc::new(grant)),
            ..claim.clone()
        }
    }

    pub(super) async fn acknowledge(&self, held: &Claim, replicas: u32) -> Acknowledgement {
        let within = Duration::from_millis(50);
        let acknowledged = self.backend.acknowledge(held, replicas, within).await;
        acknowledged.expect("waiting for replicas is answered")
    }

    pub(super) async fn status(&self, claim: &Claim) -> Status {
        self.backend.inspect(&claim.name).await.expect("a status is answered")
    }

    pub(super) async fn sleep(&self, duration: Duration) {
        self.clock.sleep_until(self.clock.now() + duration).await;
    }

    /// Until every lease of [`TTL`] that is not refreshed has surely ended on the backend's clock.
    pub(super) async fn outlast_a_lease(&self) {
        self.sleep(TTL + Duration::from_millis(50)).await;
    }

    pub(super) fn elapsed_since(&self, start: crate::Instant) -> Duration {
        self.clock.now().saturating_since(start)
    }

    pub(super) fn now(&self) -> crate::Instant {
        self.clock.now()
    }

    /// Fails the clause if `work` takes longer than anything may.
    pub(super) async fn in_time<T>(&self, what: &str, work: impl Future<Output = T>) -> T {
        tokio::select! {
            biased;
            output = work => output,
            () = self.sleep(PATIENCE) => panic!("{what} took longer than {PATIENCE:?}"),
        }
    }

    /// One more process.
    pub(super) fn client(&self) -> AnyClient {
        self.client_with(|_| {})
    }

    pub(super) fn client_with(&self, on_lost: impl Fn(&Loss) + Send + Sync + 'static) -> AnyClient {
        Client::builder(self.site.backend())
            .clock(self.site.clock())
            .namespace("conformance")
            .keeper(self.site.keeper())
            .seed(1_000 + self.id())
            .on_lost(on_lost)
            .build()
            .expect("a client starts")
    }
}
