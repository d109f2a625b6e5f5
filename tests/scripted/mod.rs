//! A backend that answers acquires with what it was given, at once; for what no server says on demand.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures::stream::BoxStream;
use semafence::{
    Added, Addition, Attempt, BackendError, Claim, Failure, FencingToken, Grant, HolderId, Inbox, LockBackend, Name,
    Outcome, Queueing, Standing, Status, Timestamp, Wakeup,
};

#[derive(Debug, Default)]
pub(crate) struct Scripted {
    attempts: Mutex<VecDeque<Result<Attempt, BackendError>>>,
    pub(crate) first_is_held_up: Arc<Gate>,
}

/// Holds up the answer to whoever asks while it is shut; others pass.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    shut: AtomicBool,
    opened: tokio::sync::Notify,
}

impl Gate {
    pub(crate) fn hold(&self) {
        self.shut.store(true, Ordering::Relaxed);
    }

    pub(crate) fn let_go(&self) {
        self.opened.notify_one();
    }

    async fn pass(&self) {
        if self.shut.swap(false, Ordering::Relaxed) {
            self.opened.notified().await;
        }
    }
}

impl Scripted {
    pub(crate) fn new(attempts: impl IntoIterator<Item = Result<Attempt, BackendError>>) -> Self {
        Self {
            attempts: Mutex::new(attempts.into_iter().collect()),
            ..Self::default()
        }
    }
}

pub(crate) fn grant(token: u64) -> Attempt {
    Attempt::Granted(Grant {
        token: FencingToken::from_u64(token),
        slots: vec![0],
        limit: 9,
        other_limit: None,
    })
}

#[async_trait]
impl LockBackend for Scripted {
    async fn acquire(&self, _: &Claim, _: Queueing) -> Result<Attempt, BackendError> {
        let nothing = || {
            Err(BackendError::new(
                Failure::Permanent,
                Outcome::NotApplied,
                "nothing left",
            ))
        };
        let attempt = self.attempts.lock().unwrap().pop_front().unwrap_or_else(nothing);
        self.first_is_held_up.pass().await;
        attempt
    }
    async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>> {
        vec![Ok(Standing::Held); claims.len()]
    }
    async fn release(&self, _: &Claim) -> Result<Standing, BackendError> {
        Ok(Standing::Held)
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
        Arc::new(Self::default())
    }
}
