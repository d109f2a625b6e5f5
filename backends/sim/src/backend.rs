//! The backend: the shipped scripts, over the simulated network, on the simulated server.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use semafence::script::{self, Acknowledgements, Invocation, Refreshes, Reply};
use semafence::{
    Acknowledgement, Added, Addition, Attempt, BackendError, Ballot, Claim, Clock, Failure, HolderId, Inbox,
    LockBackend, Name, Outcome, Queueing, Reconnect, Standing, Status, Timestamp, Vote, Wakeup,
};
use tokio::sync::mpsc;

use crate::database::Resp;
use crate::driver::Shared;
use crate::network::Link;
use crate::node::Call;
use crate::process::Process;
use crate::server::to_reply;
use crate::world::Request;

/// How long a verb without a claim may take.
const TIMEOUT: Duration = Duration::from_secs(2);
const UNUSED_CHANNEL: &str = "reconnects";
/// As with real drivers: whoever holds a permit for a moment needs no second connection.
const RECONNECT_WATCHED_AFTER: Duration = Duration::from_secs(1);
const RECONNECT_AGAIN: Duration = Duration::from_millis(100);

/// A [`LockBackend`] of one simulated process; clones share its connections.
#[derive(Debug, Clone)]
pub struct SimBackend {
    process: Process,
    site: u32,
    link: Link,
}

impl SimBackend {
    pub(crate) fn new(process: Process, site: u32) -> Self {
        Self {
            process,
            site,
            link: Link::Commands,
        }
    }

    /// The process that this backend belongs to: its clock and its connections.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Sends one command over the network, as a client does, and waits at most `timeout` for its reply.
    ///
    /// # Errors
    ///
    /// When no answer came, or the answer is an error.
    pub async fn command(&self, words: &[&str], timeout: Duration) -> Result<Reply, BackendError> {
        let words = words.iter().map(|word| word.as_bytes().to_vec()).collect();
        let deadline = self.process.clock().now() + timeout;
        let mut replies = self.ask(vec![Call::Command(words)], deadline, timeout).await?;
        read(replies.pop().expect("one call has one reply"))
    }

    fn over(&self, link: Link) -> Self {
        Self {
            process: self.process.clone(),
            site: self.site,
            link,
        }
    }

    async fn subscribe(&self, channel: String) -> Result<Messages, BackendError> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let wire = self.process.wire(self.site, self.link);
        let shared = Arc::clone(&self.process.shared);
        let id = shared.with(|world| world.subscribe(wire, channel.into_bytes(), sender));
        let messages = Messages { receiver, shared, id };
        let deadline = self.process.clock().now() + TIMEOUT;
        self.request(Request::Subscribe(id), deadline, TIMEOUT).await?;
        Ok(messages)
    }

    async fn invoke(&self, invocation: &Invocation, timeout: Duration) -> Result<Reply, BackendError> {
        let mut replies = self.invoke_all(std::slice::from_ref(invocation), timeout).await?;
        replies.pop().expect("one call has one reply")
    }

    /// Runs scripts in one round trip, and once more those that the server has forgotten.
    async fn invoke_all(
        &self,
        invocations: &[Invocation],
        timeout: Duration,
    ) -> Result<Vec<Result<Reply, BackendError>>, BackendError> {
        let deadline = self.process.clock().now() + timeout;
        let calls = invocations.iter().map(|invocation| call(invocation, InFull::No));
        let mut replies = self.ask(calls.collect(), deadline, timeout).await?;
        let forgotten: Vec<usize> = (0..replies.len())
            .filter(|&index| is_noscript(&replies[index]))
            .collect();
        if !forgotten.is_empty() {
            let calls = forgotten.iter().map(|&index| call(&invocations[index], InFull::Yes));
            let again = self.ask(calls.collect(), deadline, timeout).await?;
            for (index, reply) in forgotten.into_iter().zip(again) {
                replies[index] = reply;
            }
        }
        Ok(replies.into_iter().map(read).collect())
    }

    async fn invoke_and_wait(
        &self,
        calls: &Acknowledgements,
    ) -> Result<Vec<Result<Reply, BackendError>>, BackendError> {
        let deadline = self.process.clock().now() + calls.timeout();
        let [count, millis] = calls.wait().map(String::into_bytes);
        let wait = Call::Command(vec![b"WAIT".to_vec(), count, millis]);
        let mut replies = Vec::new();
        for in_full in [InFull::No, InFull::Yes] {
            let refreshes = calls.invocations().iter().map(|invocation| call(invocation, in_full));
            let sent = refreshes.chain([wait.clone()]).collect();
            replies = self.ask(sent, deadline, calls.timeout()).await?;
            if !replies.iter().any(is_noscript) {
                break;
            }
        }
        Ok(replies.into_iter().map(read).collect())
    }

    async fn ask(
        &self,
        calls: Vec<Call>,
        deadline: semafence::Instant,
        timeout: Duration,
    ) -> Result<Vec<Resp>, BackendError> {
        self.request(Request::Calls(calls.into()), deadline, timeout).await
    }

    async fn request(
        &self,
        what: Request,
        deadline: semafence::Instant,
        timeout: Duration,
    ) -> Result<Vec<Resp>, BackendError> {
        let clock = self.process.clock();
        clock.running().await;
        let (id, answer) = self
            .process
            .shared
            .with(|world| world.ask(self.process.wire(self.site, self.link), what));
        let _waiting = Waiting {
            shared: &self.process.shared,
            id,
        };
        let answer = tokio::select! {
            biased;
            answer = answer => answer.unwrap_or_else(|_| Err(ended())),
            () = clock.sleep_until(deadline) => {
                let wire = self.process.wire(self.site, self.link);
                self.process.shared.with(|world| world.timed_out(wire));
                Err(BackendError::timed_out(timeout))
            }
        };
        clock.running().await;
        answer
    }
}

/// Forgets a request whose answer nobody waits for any more; the request itself still arrives.
struct Waiting<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.shared.with(|world| world.give_up(self.id));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum InFull {
    No,
    Yes,
}

pub(crate) fn call(invocation: &Invocation, in_full: InFull) -> Call {
    Call::Script {
        script: invocation.script,
        keys: invocation.keys().iter().map(|key| key.clone().into_bytes()).collect(),
        args: invocation.args().map(|arg| arg.as_bytes().to_vec()).collect(),
        in_full: in_full == InFull::Yes,
    }
}

fn is_noscript(reply: &Resp) -> bool {
    matches!(reply, Resp::Error(text) if text.starts_with("NOSCRIPT"))
}

fn read(reply: Resp) -> Result<Reply, BackendError> {
    to_reply(reply).map_err(|text| {
        let (code, detail) = text.split_once(' ').unwrap_or((&text, ""));
        BackendError::from_reply(code, detail)
    })
}

fn ended() -> BackendError {
    BackendError::new(Failure::Permanent, Outcome::Unknown, "the simulation has ended")
}

#[async_trait]
impl LockBackend for SimBackend {
    async fn acquire(&self, claim: &Claim, queueing: Queueing) -> Result<Attempt, BackendError> {
        let reply = self.invoke(&script::acquire(claim, queueing), claim.timeout()).await?;
        script::read_attempt(&reply)
    }

    async fn vote(&self, claim: &Claim, queueing: Queueing, ballot: &Ballot) -> Result<Vote, BackendError> {
        let reply = self
            .invoke(&script::vote(claim, queueing, ballot), claim.timeout())
            .await?;
        script::read_vote(&reply)
    }

    async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>> {
        let refreshes = Refreshes::new(claims);
        let replies = self.invoke_all(refreshes.invocations(), refreshes.timeout()).await;
        refreshes.answers(replies)
    }

    async fn release(&self, claim: &Claim) -> Result<Standing, BackendError> {
        let reply = self.invoke(&script::release(claim), claim.timeout()).await?;
        script::read_standing(&reply)
    }

    /// Not in [rounds](semafence::Acknowledger), as drivers do: here nobody waits behind a `WAIT`.
    async fn acknowledge(
        &self,
        claim: &Claim,
        replicas: u32,
        within: Duration,
    ) -> Result<Acknowledgement, BackendError> {
        let acks = self.over(Link::Acks);
        let calls = Acknowledgements::new(std::slice::from_ref(claim), replicas, within);
        let replies = acks.invoke_and_wait(&calls).await;
        let epoch = Some(self.process.shared.with(|world| world.sites[self.site as usize].epoch));
        calls.answers(replies, epoch).pop().expect("one claim has one answer")
    }

    async fn time(&self) -> Result<Timestamp, BackendError> {
        let deadline = self.process.clock().now() + TIMEOUT;
        let mut replies = self
            .ask(vec![Call::Command(vec![b"TIME".to_vec()])], deadline, TIMEOUT)
            .await?;
        script::read_time(&read(replies.pop().expect("one call has one reply"))?)
    }

    async fn notify(&self, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
        let messages = self.over(Link::Push).subscribe(inbox.channel()).await?;
        let clock = self.process.clock().clone();
        let once_running = move |wakeup| {
            let clock = clock.clone();
            async move {
                clock.running().await;
                wakeup
            }
        };
        Ok(messages.then(once_running).boxed())
    }

    /// Of a subscription to a channel that nobody publishes to only its loss is told.
    fn reconnects(&self) -> BoxStream<'static, Reconnect> {
        let (backend, clock) = (self.clone(), self.process.clock().clone());
        let subscribed = stream::once(async move {
            clock.sleep_until(clock.now() + RECONNECT_WATCHED_AFTER).await;
            loop {
                match backend.subscribe(UNUSED_CHANNEL.to_owned()).await {
                    Ok(messages) => return messages,
                    Err(_error) => clock.sleep_until(clock.now() + RECONNECT_AGAIN).await,
                }
            }
        });
        subscribed.flat_map(Messages::reconnects).boxed()
    }

    async fn inspect(&self, name: &Name) -> Result<Status, BackendError> {
        let reply = self.invoke(&script::inspect(name), TIMEOUT).await?;
        script::read_status(name, &reply)
    }

    async fn list(&self, namespace: &str) -> Result<Vec<Name>, BackendError> {
        let invocation = script::list(namespace)
            .map_err(|error| BackendError::new(Failure::Permanent, Outcome::NotApplied, error.to_string()))?;
        let reply = self.invoke(&invocation, TIMEOUT).await?;
        script::read_names(namespace, &reply)
    }

    async fn force_release(&self, name: &Name, holder: HolderId) -> Result<Standing, BackendError> {
        let reply = self.invoke(&script::force_release(name, holder), TIMEOUT).await?;
        script::read_standing(&reply)
    }

    async fn resize(&self, name: &Name, limit: Option<u32>) -> Result<Option<u32>, BackendError> {
        let reply = self.invoke(&script::resize(name, limit), TIMEOUT).await?;
        script::read_resized(&reply)
    }

    async fn add_permits(&self, addition: &Addition) -> Result<Added, BackendError> {
        let reply = self.invoke(&script::add_permits(addition), TIMEOUT).await?;
        script::read_added(&reply)
    }

    fn keeper_handle(&self) -> Arc<dyn LockBackend> {
        Arc::new(self.over(Link::Keeper))
    }
}

/// The messages of one subscription, which ends when this is dropped.
struct Messages {
    receiver: mpsc::UnboundedReceiver<Wakeup>,
    shared: Arc<Shared>,
    id: u64,
}

impl Messages {
    /// Whether each that comes was sent by another server than the one before, or by the same one started anew.
    fn reconnects(self) -> impl Stream<Item = Reconnect> {
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        let mut before = shared.with(|world| world.run_behind(id));
        self.map(move |_missed| {
            let after = shared.with(|world| world.run_behind(id));
            let is_same = std::mem::replace(&mut before, after) == after;
            if is_same { Reconnect::Same } else { Reconnect::Another }
        })
    }
}

impl Stream for Messages {
    type Item = Wakeup;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Wakeup>> {
        self.receiver.poll_recv(context)
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.shared.with(|world| world.unsubscribe(self.id));
    }
}
