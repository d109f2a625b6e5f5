//! The backend as the core calls it: every call is measured.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;

use crate::backend::{
    Acknowledgement, Added, Addition, Attempt, Claim, LockBackend, OPERATION_TIMEOUT_MAX, Queueing, Standing, Wakeup,
};
use crate::clock::{Clock, Instant, Timestamp};
use crate::failure::BackendError;
use crate::holder::{HolderId, Inbox};
use crate::meter::{Answer, CommandMeter, Verb};
use crate::name::Name;
use crate::outage::Turn;
use crate::reconnect::Reconnect;
use crate::status::Status;
use crate::trace;

/// A backend, or the keeper's handle to it, and the measure of its calls.
///
/// Not a [`LockBackend`] itself: as one it would box a second future for each call.
pub(crate) struct Commands {
    backend: Arc<dyn LockBackend>,
    clock: Arc<dyn Clock>,
    meter: Arc<CommandMeter>,
}

impl Commands {
    pub(crate) fn new(backend: Arc<dyn LockBackend>, clock: Arc<dyn Clock>, meter: Arc<CommandMeter>) -> Self {
        Self { backend, clock, meter }
    }

    pub(crate) async fn acquire(&self, claim: &Claim, queueing: Queueing) -> Result<Attempt, BackendError> {
        let call = self.call(Verb::Acquire, Some(claim.timeout()));
        call.result(self.backend().acquire(claim, queueing)).await
    }

    pub(crate) async fn acknowledge(
        &self,
        claim: &Claim,
        replicas: u32,
        within: Duration,
    ) -> Result<Acknowledgement, BackendError> {
        let call = self.call(Verb::Acknowledge, Some(within + claim.timeout()));
        call.result(self.backend().acknowledge(claim, replicas, within)).await
    }

    pub(crate) fn fails_over(&self) -> bool {
        self.backend.fails_over()
    }

    pub(crate) fn reconnects(&self) -> BoxStream<'static, Reconnect> {
        self.backend.reconnects()
    }

    pub(crate) async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>> {
        let call = self.call(Verb::Refresh, claims.iter().map(Claim::timeout).min());
        let answers = self.backend().refresh(claims).await;
        call.end(
            Answer::of_all(&answers),
            answers.iter().find_map(|answer| answer.as_ref().err()),
        );
        answers
    }

    pub(crate) async fn release(&self, claim: &Claim) -> Result<Standing, BackendError> {
        let call = self.call(Verb::Release, Some(claim.timeout()));
        call.result(self.backend().release(claim)).await
    }

    pub(crate) async fn time(&self) -> Result<Timestamp, BackendError> {
        self.call(Verb::Time, None).result(self.backend().time()).await
    }

    pub(crate) async fn notify(&self, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
        self.call(Verb::Notify, None).result(self.backend().notify(inbox)).await
    }

    pub(crate) async fn inspect(&self, name: &Name) -> Result<Status, BackendError> {
        self.call(Verb::Inspect, None)
            .result(self.backend().inspect(name))
            .await
    }

    pub(crate) async fn list(&self, namespace: &str) -> Result<Vec<Name>, BackendError> {
        self.call(Verb::List, None).result(self.backend().list(namespace)).await
    }

    pub(crate) async fn force_release(&self, name: &Name, holder: HolderId) -> Result<Standing, BackendError> {
        let call = self.call(Verb::ForceRelease, None);
        call.result(self.backend().force_release(name, holder)).await
    }

    pub(crate) async fn resize(&self, name: &Name, limit: Option<u32>) -> Result<Option<u32>, BackendError> {
        let call = self.call(Verb::Resize, None);
        call.result(self.backend().resize(name, limit)).await
    }

    pub(crate) async fn add_permits(&self, addition: &Addition) -> Result<Added, BackendError> {
        let call = self.call(Verb::AddPermits, Some(OPERATION_TIMEOUT_MAX));
        call.result(self.backend().add_permits(addition)).await
    }

    /// Through the `Arc`, which is a backend as well, and would box each future once more.
    fn backend(&self) -> &dyn LockBackend {
        &*self.backend
    }

    fn call(&self, verb: Verb, timeout: Option<Duration>) -> Call<'_> {
        Call {
            commands: self,
            verb,
            timeout,
            asked_at: self.clock.now(),
            ended: false,
        }
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.backend.fmt(f)
    }
}

/// A call on its way. One that is dropped after its timeout was not answered; one that is dropped before says nothing.
struct Call<'a> {
    commands: &'a Commands,
    verb: Verb,
    timeout: Option<Duration>,
    asked_at: Instant,
    ended: bool,
}

impl Call<'_> {
    async fn result<T>(self, call: impl Future<Output = Result<T, BackendError>>) -> Result<T, BackendError> {
        let answer = call.await;
        self.end(Answer::of(&answer), answer.as_ref().err());
        answer
    }

    fn end(mut self, answer: Answer, error: Option<&BackendError>) {
        self.ended = true;
        self.tell(answer, error);
    }

    fn tell(&self, answer: Answer, error: Option<&BackendError>) {
        let now = self.commands.clock.now();
        let took = now.saturating_since(self.asked_at);
        match self.commands.meter.called(self.verb, answer, took, now) {
            Some(Turn::Away) => trace::away(self.verb.label(), error),
            Some(Turn::Back { after }) => trace::back(self.verb.label(), after),
            None => {}
        }
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        let Some(timeout) = self.timeout.filter(|_| !self.ended) else {
            return;
        };
        if self.commands.clock.now().saturating_since(self.asked_at) >= timeout {
            self.tell(Answer::Unavailable, None);
        }
    }
}
