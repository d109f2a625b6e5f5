//! A bench to put claims on.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use semafence::{Attempt, Claim, Grant, HolderId, Inbox, LockBackend, Name, Queueing, Standing, Status, Wakeup};
use semafence_sim::{Server, Sim, SimBackend};

pub(crate) const TTL: Duration = Duration::from_secs(3);
pub(crate) const WINDOW: Duration = Duration::from_secs(1);
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// One semaphore, and a process with an inbox that asks for it.
pub(crate) struct Bench {
    pub(crate) server: Server,
    pub(crate) backend: SimBackend,
    pub(crate) name: Name,
    pub(crate) limit: u32,
    pub(crate) ttl: Duration,
}

impl Bench {
    pub(crate) fn new(sim: &Sim, limit: u32) -> Self {
        Self::named(sim, limit, "printers")
    }

    pub(crate) fn named(sim: &Sim, limit: u32, name: &str) -> Self {
        Self {
            server: sim.server(),
            backend: sim.backend(),
            name: Name::new("test", name).unwrap(),
            limit,
            ttl: TTL,
        }
    }

    pub(crate) fn inbox(&self) -> Inbox {
        Inbox::from_bits(u64::from(self.backend.process().number()))
    }

    /// A claim of weight one by holder `id`.
    pub(crate) fn claim(&self, id: u128) -> Claim {
        self.weighing(id, 1)
    }

    pub(crate) fn weighing(&self, id: u128, weight: u32) -> Claim {
        Claim {
            name: self.name.clone(),
            holder: HolderId::from_bits(id),
            limit: self.limit,
            weight,
            ttl: self.ttl,
            window: WINDOW,
            patience: PATIENCE,
            inbox: self.inbox(),
            meta: Arc::from("host 1"),
            client_time: None,
            stepless: false,
            doubtful: false,
            grace: Duration::ZERO,
            grant: None,
        }
    }

    pub(crate) async fn attempt(&self, claim: &Claim, queueing: Queueing) -> Attempt {
        self.backend.acquire(claim, queueing).await.unwrap()
    }

    /// Asks without waiting, and must be granted.
    pub(crate) async fn grant(&self, claim: &Claim) -> Grant {
        match self.attempt(claim, Queueing::Never).await {
            Attempt::Granted(grant) => grant,
            other => panic!("{:?} was not granted: {other:?}", claim.holder),
        }
    }

    /// Joins the queue for a hand-off; its place.
    pub(crate) async fn queue(&self, claim: &Claim) -> u32 {
        match self.attempt(claim, Queueing::HandOff).await {
            Attempt::Queued(queued) => queued.place,
            other => panic!("{:?} was not queued: {other:?}", claim.holder),
        }
    }

    pub(crate) async fn is_busy(&self, claim: &Claim) -> bool {
        matches!(self.attempt(claim, Queueing::Never).await, Attempt::Busy(_))
    }

    pub(crate) async fn refresh(&self, claim: &Claim) -> Standing {
        self.backend
            .refresh(std::slice::from_ref(claim))
            .await
            .remove(0)
            .unwrap()
    }

    pub(crate) async fn release(&self, claim: &Claim) -> Standing {
        self.backend.release(claim).await.unwrap()
    }

    pub(crate) async fn status(&self) -> Status {
        self.backend.inspect(&self.name).await.unwrap()
    }

    /// The ids of the live holders.
    pub(crate) async fn holders(&self) -> Vec<HolderId> {
        self.status().await.holders.iter().map(|holder| holder.holder).collect()
    }

    pub(crate) async fn messages(&self) -> BoxStream<'static, Wakeup> {
        self.backend.notify(self.inbox()).await.unwrap()
    }

    /// Every key but the deployment's generation record ends by itself.
    pub(crate) fn assert_every_key_ends(&self) {
        for key in self.server.keys() {
            let ends = self.server.ttl(&key).is_some();
            assert!(ends || key == "semafence:generation", "{key} never ends");
        }
    }

    /// One of the semaphore's own keys, by its last part.
    pub(crate) fn key(&self, part: &str) -> String {
        format!("{{test:{}}}:{part}", self.name.as_str())
    }
}

pub(crate) fn id(bits: u128) -> HolderId {
    HolderId::from_bits(bits)
}

pub(crate) async fn sleep(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// The next message, or `None` if nothing comes within a second.
pub(crate) async fn next(messages: &mut BoxStream<'static, Wakeup>) -> Option<Wakeup> {
    tokio::time::timeout(Duration::from_secs(1), messages.next())
        .await
        .ok()
        .flatten()
}
