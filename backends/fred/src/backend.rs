//! The store that keeps leases: one Redis or Valkey server, or a master behind Sentinel.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fred::types::Resp3Frame;
use futures::stream::BoxStream;
use semafence::script::{self, Invocation, Refreshes, Reply};
use semafence::{
    Acknowledgement, Acknowledger, Added, Addition, Attempt, BackendError, Ballot, Claim, Error, Failure, HolderId,
    Inbox, LockBackend, Name, Outcome, Queueing, Reconnect, Standing, Status, Timestamp, Vote, Wakeup,
};

use crate::connector::Connector;
use crate::lane::{Deadline, Lane};
use crate::line::Command;
use crate::options::Options;
use crate::{listener, reconnects, reply};

/// One Redis or Valkey server, or a master behind Sentinel, as a store that keeps leases. Clones share the connections.
///
/// All verbs share one connection, which the first of them opens, and all listeners of one inbox another one. They live on the runtime
/// of that call, are replaced when they break, and are opened anew by a later call from another runtime once the first
/// has ended. A connection is also replaced when the server turns out to be a replica, after two timeouts in a row, and
/// behind Sentinel as soon as any sentinel tells of another master. Needs a tokio runtime with I/O and time.
///
/// # Errors
///
/// An answer, also an error reply, means *not applied* where it is an error; a connection lost before the answer or a
/// timeout means *unknown*, and nothing is sent again by itself then, nor later. What could not be sent for lack of a
/// connection is *not applied*.
#[derive(Clone)]
pub struct Fred {
    lane: Lane,
    acknowledger: Arc<Acknowledger<Lane>>,
}

impl Fred {
    /// Takes a server, or a master behind Sentinel, by its options. Talks to nobody yet.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the field that is wrong.
    pub fn new(options: Options) -> Result<Self, Error> {
        let connector = options.into_connector()?;
        Ok(Self::over(Arc::new(connector)))
    }

    fn over(connector: Arc<Connector>) -> Self {
        let lane = Lane::new(Arc::clone(&connector));
        let silence_max = connector.response_timeout;
        let open = move || Lane::new(Arc::clone(&connector));
        Self {
            lane,
            acknowledger: Arc::new(Acknowledger::new(silence_max, open)),
        }
    }

    /// Takes a server, or a master behind Sentinel, by its [URL](Options::from_url). Talks to nobody yet.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with the field that is wrong.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        Self::new(Options::from_url(url)?)
    }

    /// Takes a server, or a master behind Sentinel, by its [URL](Options::from_url), and makes sure that it is there.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when the URL is wrong, [`Error::Backend`] as [`check`](Self::check).
    pub async fn connect(url: &str) -> Result<Self, Error> {
        let fred = Self::from_url(url)?;
        fred.check().await?;
        Ok(fred)
    }

    /// Opens the connection unless it is open, and reads the server's clock once.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] with operation `connect` when the server is not to be reached or does not let us in.
    pub async fn check(&self) -> Result<(), Error> {
        let checked = async {
            self.lane.link().await?;
            self.time().await
        };
        checked.await.map(drop).map_err(|source| Error::Backend {
            operation: "connect",
            name: None,
            outcome: source.outcome(),
            source,
        })
    }

    async fn call(&self, invocation: Invocation, limit: Duration) -> Result<Reply, BackendError> {
        let deadline = Deadline::after(limit.min(self.response_timeout()));
        let mut answer = self.lane.send(|| by_hash(&invocation), deadline).await?;
        if reply::is_noscript(&answer) {
            answer = self.lane.send(|| by_text(&invocation), deadline).await?;
        }
        reply::read(answer)
    }

    /// Sends all calls in one go, and those that met an empty script cache once more.
    async fn call_all(
        &self,
        invocations: &[Invocation],
        limit: Duration,
    ) -> Result<Vec<Result<Reply, BackendError>>, BackendError> {
        if invocations.is_empty() {
            return Ok(Vec::new());
        }
        let deadline = Deadline::after(limit.min(self.response_timeout()));
        let commands = || invocations.iter().map(by_hash).collect();
        let mut answers = self.lane.send_all(commands, deadline).await?;
        self.repeat_unknown(invocations, &mut answers, deadline).await?;
        Ok(answers.into_iter().map(|answer| answer.and_then(reply::read)).collect())
    }

    async fn repeat_unknown(
        &self,
        invocations: &[Invocation],
        answers: &mut [Result<Resp3Frame, BackendError>],
        deadline: Deadline,
    ) -> Result<(), BackendError> {
        let is_unknown = |answer: &Result<_, _>| answer.as_ref().is_ok_and(reply::is_noscript);
        let unknown = answers
            .iter_mut()
            .zip(invocations)
            .filter(|(answer, _)| is_unknown(answer));
        let (places, again): (Vec<_>, Vec<&Invocation>) = unknown.unzip();
        let Some((first, rest)) = again.split_first() else {
            return Ok(());
        };
        // All of them run one script, and the first brings its text.
        let commands = || {
            let rest = rest.iter().map(|invocation| by_hash(invocation));
            std::iter::once(by_text(first)).chain(rest).collect()
        };
        let repeated = self.lane.send_all(commands, deadline).await?;
        for (place, answer) in places.into_iter().zip(repeated) {
            *place = answer;
        }
        Ok(())
    }

    fn response_timeout(&self) -> Duration {
        self.lane.connector().response_timeout
    }
}

#[async_trait]
impl LockBackend for Fred {
    async fn acquire(&self, claim: &Claim, queueing: Queueing) -> Result<Attempt, BackendError> {
        let reply = self.call(script::acquire(claim, queueing), claim.timeout()).await?;
        script::read_attempt(&reply)
    }

    async fn vote(&self, claim: &Claim, queueing: Queueing, ballot: &Ballot) -> Result<Vote, BackendError> {
        let invocation = script::vote(claim, queueing, ballot);
        let reply = self.call(invocation, claim.timeout()).await?;
        script::read_vote(&reply)
    }

    async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>> {
        let refreshes = Refreshes::new(claims);
        let replies = self.call_all(refreshes.invocations(), refreshes.timeout()).await;
        refreshes.answers(replies)
    }

    async fn release(&self, claim: &Claim) -> Result<Standing, BackendError> {
        let reply = self.call(script::release(claim), claim.timeout()).await?;
        script::read_standing(&reply)
    }

    async fn acknowledge(
        &self,
        claim: &Claim,
        replicas: u32,
        within: Duration,
    ) -> Result<Acknowledgement, BackendError> {
        self.acknowledger.acknowledge(claim, replicas, within).await
    }

    fn fails_over(&self) -> bool {
        self.lane.connector().sentinels().is_some()
    }

    async fn time(&self) -> Result<Timestamp, BackendError> {
        let deadline = Deadline::after(self.response_timeout());
        let answer = self.lane.send(|| Command::new("TIME"), deadline).await?;
        script::read_time(&reply::read(answer)?)
    }

    async fn notify(&self, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
        listener::listen(self.lane.clone(), inbox).await
    }

    fn reconnects(&self) -> BoxStream<'static, Reconnect> {
        reconnects::reconnects(self.lane.clone())
    }

    async fn inspect(&self, name: &Name) -> Result<Status, BackendError> {
        let reply = self.call(script::inspect(name), self.response_timeout()).await?;
        script::read_status(name, &reply)
    }

    async fn list(&self, namespace: &str) -> Result<Vec<Name>, BackendError> {
        let invocation = script::list(namespace)
            .map_err(|error| BackendError::new(Failure::Permanent, Outcome::NotApplied, error))?;
        let reply = self.call(invocation, self.response_timeout()).await?;
        script::read_names(namespace, &reply)
    }

    async fn force_release(&self, name: &Name, holder: HolderId) -> Result<Standing, BackendError> {
        let invocation = script::force_release(name, holder);
        let reply = self.call(invocation, self.response_timeout()).await?;
        script::read_standing(&reply)
    }

    async fn resize(&self, name: &Name, limit: Option<u32>) -> Result<Option<u32>, BackendError> {
        let reply = self.call(script::resize(name, limit), self.response_timeout()).await?;
        script::read_resized(&reply)
    }

    async fn add_permits(&self, addition: &Addition) -> Result<Added, BackendError> {
        let reply = self
            .call(script::add_permits(addition), self.response_timeout())
            .await?;
        script::read_added(&reply)
    }

    fn keeper_handle(&self) -> Arc<dyn LockBackend> {
        Arc::new(Self::over(Arc::clone(self.lane.connector())))
    }
}

impl fmt::Debug for Fred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fred").field(self.lane.connector()).finish()
    }
}

pub(crate) fn by_hash(invocation: &Invocation) -> Command {
    command("EVALSHA", invocation.script.sha1(), invocation)
}

pub(crate) fn by_text(invocation: &Invocation) -> Command {
    command("EVAL", invocation.script.source(), invocation)
}

fn command(verb: &'static str, script: &'static str, invocation: &Invocation) -> Command {
    let keys = invocation.keys();
    let count = i64::try_from(keys.len()).expect("a script has a handful of keys");
    let head = Command::new(verb).arg(script).arg(count);
    let parts = keys.iter().map(String::as_str).chain(invocation.args());
    parts.fold(head, Command::arg)
}
