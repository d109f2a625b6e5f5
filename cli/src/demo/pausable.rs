//! A backend whose process can be paused: its messages wait, while the world goes on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::BoxStream;
use semafence::{
    Acknowledgement, Added, Addition, Attempt, BackendError, Ballot, Claim, HolderId, Inbox, LockBackend, Name,
    Queueing, Reconnect, Standing, Status, Timestamp, Vote, Wakeup,
};
use tokio::sync::watch;

/// Pauses and resumes the process of a [`Pausable`].
#[derive(Debug, Clone)]
pub(super) struct Switch(watch::Sender<bool>);

impl Switch {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    pub(super) fn pause(&self) {
        self.0.send_replace(true);
    }

    pub(super) fn resume(&self) {
        self.0.send_replace(false);
    }
}

/// A backend behind a switch.
#[derive(Debug, Clone)]
pub(super) struct Pausable {
    backend: Arc<dyn LockBackend>,
    paused: watch::Receiver<bool>,
}

impl Pausable {
    pub(super) fn new(backend: Arc<dyn LockBackend>, switch: &Switch) -> Self {
        Self {
            backend,
            paused: switch.0.subscribe(),
        }
    }

    /// Waits while the process is paused.
    async fn go(&self) {
        let mut paused = self.paused.clone();
        // An error says that the switch is gone, and nobody can pause any more.
        let _nobody_can_pause_any_more = paused.wait_for(|paused| !paused).await.is_err();
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl LockBackend for Pausable {
    async fn acquire(&self, claim: &Claim, queueing: Queueing) -> Result<Attempt, BackendError> {
        self.go().await;
        self.backend.acquire(claim, queueing).await
    }

    async fn vote(&self, claim: &Claim, queueing: Queueing, ballot: &Ballot) -> Result<Vote, BackendError> {
        self.go().await;
        self.backend.vote(claim, queueing, ballot).await
    }

    async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>> {
        self.go().await;
        self.backend.refresh(claims).await
    }

    async fn release(&self, claim: &Claim) -> Result<Standing, BackendError> {
        self.go().await;
        self.backend.release(claim).await
    }

    async fn acknowledge(
        &self,
        claim: &Claim,
        replicas: u32,
        within: Duration,
    ) -> Result<Acknowledgement, BackendError> {
        self.go().await;
        self.backend.acknowledge(claim, replicas, within).await
    }

    fn fails_over(&self) -> bool {
        self.backend.fails_over()
    }

    async fn time(&self) -> Result<Timestamp, BackendError> {
        self.go().await;
        self.backend.time().await
    }

    async fn notify(&self, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
        self.go().await;
        let this = self.clone();
        let wakeups = self.backend.notify(inbox).await?;
        let delayed = wakeups.then(move |wakeup| {
            let this = this.clone();
            async move {
                this.go().await;
                wakeup
            }
        });
        Ok(delayed.boxed())
    }

    fn reconnects(&self) -> BoxStream<'static, Reconnect> {
        let this = self.clone();
        let delayed = self.backend.reconnects().then(move |reconnect| {
            let this = this.clone();
            async move {
                this.go().await;
                reconnect
            }
        });
        delayed.boxed()
    }

    async fn inspect(&self, name: &Name) -> Result<Status, BackendError> {
        self.go().await;
        self.backend.inspect(name).await
    }

    async fn list(&self, namespace: &str) -> Result<Vec<Name>, BackendError> {
        self.go().await;
        self.backend.list(namespace).await
    }

    async fn force_release(&self, name: &Name, holder: HolderId) -> Result<Standing, BackendError> {
        self.go().await;
        self.backend.force_release(name, holder).await
    }

    async fn resize(&self, name: &Name, limit: Option<u32>) -> Result<Option<u32>, BackendError> {
        self.go().await;
        self.backend.resize(name, limit).await
    }

    async fn add_permits(&self, addition: &Addition) -> Result<Added, BackendError> {
        self.go().await;
        self.backend.add_permits(addition).await
    }

    fn keeper_handle(&self) -> Arc<dyn LockBackend> {
        Arc::new(Self {
            backend: self.backend.keeper_handle(),
            paused: self.paused.clone(),
        })
    }
}
