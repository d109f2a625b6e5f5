//! A store over a majority of independent servers, each slot of which is a majority lock of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};

use crate::backend::{Added, Addition, Attempt, Claim, LockBackend, OPERATION_TIMEOUT_MAX, Queueing, Standing, Wakeup};
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::error::Error;
use crate::failure::{BackendError, Failure, Outcome};
use crate::holder::{HolderId, Inbox};
use crate::name::Name;
use crate::reconnect::Reconnect;
use crate::status::Status;
use crate::vote::{self, Vote};

mod answers;
mod election;
mod horizon;
mod mail;
mod no_majority;
mod paces;
mod poll;
mod settler;
mod standings;
mod survey;
mod tally;
mod unsettled;

pub use no_majority::{NoMajority, NodeFailure};

use answers::Answers;
use election::Election;
use horizon::Horizon;
use mail::Mail;
use paces::Paces;
use poll::Poll;
use tally::Tally;
use unsettled::Unsettled;

/// A semaphore on a majority of independent servers: it goes on while fewer than half of them are down, and loses nothing
/// with them.
///
/// Each slot is a lock of its own, which a permit holds while more than half of the servers say so; two majorities have a
/// server in common, so no slot has two holders, and the limit holds. All servers are asked at once, and what a majority has
/// answered decides: one that hangs costs nothing. There must be an odd number of them, at most nine, and none may be a
/// replica of another.
///
/// # Guarantees
///
/// At most `limit` hold, as long as the clocks of servers and client run at the same rate within the
/// [drift allowance](crate::Config) and servers that restart without their data have a
/// [grace](crate::Config::failover_grace), which is the default here. A new deployment, and each server that comes back, grants
/// nothing for that long. Tokens are unique per name and larger than that of every grant that had returned before this one was
/// requested, as long as the servers' clocks agree within an hour; where most of them forget soon after they began, within
/// nine tenths of the time since.
///
/// # Differences from one server
///
/// - Waiters are served in the order in which a majority of servers got to know them: while servers come and go, one can be
///   passed, but only by those that were there before it on one of them.
/// - `try_acquire` may say busy where several try at the same moment.
/// - After the limit was lowered, slots below it are given while those above it are still held.
/// - The same claim again gets the same slots, and may get a larger token.
/// - [`acks`](crate::Config::acks) are not to be had: a majority has each grant anyway.
///
/// # Examples
///
/// ```
/// use semafence::{Client, KeeperMode, Quorum};
///
/// semafence_sim::run_with_deployments(1, 3, 0, |sim| async move {
///     let process = sim.process();
///     let clock = process.clock().clone();
///     let servers = (0..3).map(|site| sim.backend_of(&process, site));
///     let quorum = Quorum::new(servers)?.clock(clock.clone());
///     let client = Client::builder(quorum).clock(clock).keeper(KeeperMode::Task).build()?;
///
///     let migrations = client.mutex("migrations").build()?;
///     let permit = migrations.lock().await?;
///     sim.deployment(2).master().crash();
///     permit.release().await?;
///     Ok::<(), semafence::Error>(())
/// })?;
/// # Ok::<(), semafence::Error>(())
/// ```
pub struct Quorum<B> {
    nodes: Arc<[Node<B>]>,
    clock: Arc<dyn Clock>,
    horizon: Arc<Horizon>,
    mail: Arc<Mail>,
    paces: Arc<Paces>,
    unsettled: Arc<Unsettled>,
    fails_at_once: bool,
}

/// One of the servers, and what it is called in errors.
struct Node<B> {
    name: Arc<str>,
    backend: Arc<B>,
}

impl<B: LockBackend> Quorum<B> {
    /// Takes the servers; errors call them `node 1` and so on. Talks to nobody.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] of the field `nodes` where they are not an odd number of 1 to 9.
    pub fn new(nodes: impl IntoIterator<Item = B>) -> Result<Self, Error> {
        Self::named((1..).map(|number| format!("node {number}")).zip(nodes))
    }

    /// Takes the servers, each with what errors call it, such as its address. Talks to nobody.
    ///
    /// That two of them are one server, or a server and its replica, is found out by [`check`](Self::check), or when both
    /// vote: no majority counts one server twice, and the acquire fails with a permanent error.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] of the field `nodes` where they are not an odd number of 1 to 9, or two have one name.
    pub fn named(nodes: impl IntoIterator<Item = (impl Into<Arc<str>>, B)>) -> Result<Self, Error> {
        let nodes: Vec<Node<B>> = nodes
            .into_iter()
            .map(|(name, backend)| Node {
                name: name.into(),
                backend: Arc::new(backend),
            })
            .collect();
        check(&nodes)?;
        Ok(Self::over(nodes.into(), Arc::new(SystemClock)))
    }

    fn over(nodes: Arc<[Node<B>]>, clock: Arc<dyn Clock>) -> Self {
        Self {
            horizon: Arc::new(Horizon::new(Arc::clone(&clock))),
            mail: Arc::new(Mail::new(nodes.len() / 2 + 1)),
            nodes,
            clock,
            paces: Arc::default(),
            unsettled: Arc::default(),
            fails_at_once: false,
        }
    }

    /// The local clock by which it waits for answers. Default: [`SystemClock`].
    #[must_use]
    pub fn clock(self, clock: impl Clock) -> Self {
        let fails_at_once = self.fails_at_once;
        Self {
            fails_at_once,
            ..Self::over(self.nodes, Arc::new(clock))
        }
    }

    /// Whether an acquire fails at once when no majority answers, instead of trying again for as long as it may wait. The
    /// error is transient all the same: the next call may succeed. Default: no.
    #[must_use]
    pub fn fail_at_once(mut self, fails_at_once: bool) -> Self {
        self.fails_at_once = fails_at_once;
        self
    }

    /// Makes sure that a majority is there, and that no server that answers is another one as well.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] with operation `connect`, and [`NoMajority`] as the source where too few answer.
    pub async fn check(&self) -> Result<(), Error> {
        let checked = async {
            let votes = self
                .survey(|node| {
                    let (claim, ballot) = vote::for_nothing();
                    Box::pin(async move { node.vote(&claim, Queueing::Never, &ballot).await })
                })
                .await?;
            self.distinct(&votes)
        };
        checked.await.map_err(|source| Error::Backend {
            operation: "connect",
            name: None,
            outcome: source.outcome(),
            source,
        })
    }

    /// # Errors
    ///
    /// Where one server has answered twice.
    fn distinct(&self, votes: &Answers<Vote>) -> Result<(), BackendError> {
        let Some((one, other)) = Tally::new(votes, self.majority()).twins() else {
            return Ok(());
        };
        let name = |place: usize| &self.nodes[place].name;
        let text = format!(
            "{} and {} are one server, or one is a replica of the other",
            name(one),
            name(other)
        );
        Err(BackendError::new(Failure::Permanent, Outcome::Unknown, text))
    }

    fn majority(&self) -> usize {
        self.nodes.len() / 2 + 1
    }

    /// Asks every server the same.
    fn ask<T: Send + 'static>(
        &self,
        question: impl Fn(usize, Arc<B>) -> BoxFuture<'static, Result<T, BackendError>>,
    ) -> Poll<T> {
        let nodes = self.nodes.iter().enumerate();
        let questions = nodes.map(|(index, node)| Some(question(index, Arc::clone(&node.backend))));
        Poll::begin(&self.clock, self.majority(), &self.paces, questions)
    }

    /// Asks every server the same, and waits for the answers of all that are not much slower than the majority.
    async fn survey<T: Send + 'static>(
        &self,
        question: impl Fn(Arc<B>) -> BoxFuture<'static, Result<T, BackendError>>,
    ) -> Result<Answers<T>, BackendError> {
        let mut poll = self.ask(|_, node| question(node));
        poll.until(self.clock.now() + SURVEY_MAX, |_| false).await;
        let (answers, rest) = poll.into_parts();
        rest.detach();
        self.with_majority(answers)
    }

    fn with_majority<T>(&self, answers: Answers<T>) -> Result<Answers<T>, BackendError> {
        if answers.given().count() < self.majority() {
            return Err(self.no_majority(&answers));
        }
        Ok(answers)
    }

    fn no_majority<T>(&self, answers: &Answers<T>) -> BackendError {
        NoMajority::of(&self.nodes, self.majority(), answers).into_error()
    }

    fn as_told(&self, error: BackendError) -> BackendError {
        if self.fails_at_once { error.into_final() } else { error }
    }

    fn handles(&self) -> Arc<[Node<Arc<dyn LockBackend>>]> {
        let handle = |node: &Node<B>| Node {
            name: Arc::clone(&node.name),
            backend: Arc::new(node.backend.keeper_handle()),
        };
        self.nodes.iter().map(handle).collect()
    }
}

fn check<B>(nodes: &[Node<B>]) -> Result<(), Error> {
    if nodes.len().is_multiple_of(2) || nodes.len() > 9 {
        let reason = format!("are {}, not an odd number of 1 to 9", nodes.len());
        return Err(Error::config("nodes", reason));
    }
    for (index, node) in nodes.iter().enumerate() {
        if nodes[..index].iter().any(|other| other.name == node.name) {
            return Err(Error::config("nodes", format!("name {} twice", node.name)));
        }
    }
    Ok(())
}

/// How long a verb without a claim may take: whatever the servers' own timeouts are.
const SURVEY_MAX: Duration = OPERATION_TIMEOUT_MAX;

#[async_trait]
impl<B: LockBackend> LockBackend for Quorum<B> {
    async fn acquire(&self, claim: &Claim, queueing: Queueing) -> Result<Attempt, BackendError> {
        let answer = Election::new(self, claim, queueing).decide().await;
        answer.map_err(|error| self.as_told(error))
    }

    async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>> {
        let limit = claims.iter().map(Claim::timeout).min().unwrap_or_default();
        let shared: Arc<[Claim]> = claims.iter().map(standings::to_refresh).collect();
        let mut poll = self.ask(|_, node| {
            let claims = Arc::clone(&shared);
            Box::pin(async move { Ok(node.refresh(&claims).await) })
        });
        let majority = self.majority();
        let is_decided = |answers: &Answers<_>| standings::are_decided(answers, claims.len(), majority);
        poll.until_decided(self.clock.now() + limit, is_decided).await;
        let (answers, rest) = poll.into_parts();
        rest.detach();
        standings::heal(self, claims, &answers);
        (0..claims.len())
            .map(|index| {
                let answers = standings::of(&answers, index);
                standings::decide(&answers, majority).ok_or_else(|| self.no_majority(&answers))
            })
            .collect()
    }

    async fn release(&self, claim: &Claim) -> Result<Standing, BackendError> {
        self.mail.end(claim.holder);
        let mut poll = self.ask(|index, node| {
            let claim = Claim {
                doubtful: self.unsettled.release(claim.holder, index) || claim.doubtful,
                ..claim.clone()
            };
            Box::pin(async move { node.release(&claim).await })
        });
        let majority = self.majority();
        let is_decided = |answers: &Answers<_>| standings::decide(answers, majority).is_some();
        poll.until_decided(self.clock.now() + claim.timeout(), is_decided).await;
        let (answers, rest) = poll.into_parts();
        rest.detach();
        let answers = self.with_majority(answers)?;
        Ok(standings::decide(&answers, majority).unwrap_or_else(|| standings::released(&answers)))
    }

    fn fails_over(&self) -> bool {
        true
    }

    /// The median of what a majority says.
    async fn time(&self) -> Result<Timestamp, BackendError> {
        let times = self.survey(|node| Box::pin(async move { node.time().await })).await?;
        Ok(times.median(|time| *time))
    }

    async fn notify(&self, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
        let wakeups = Mail::subscribe(self, inbox).await;
        wakeups.map_err(|error| self.as_told(error))
    }

    fn reconnects(&self) -> BoxStream<'static, Reconnect> {
        stream::select_all(self.nodes.iter().map(|node| node.backend.reconnects())).boxed()
    }

    async fn inspect(&self, name: &Name) -> Result<Status, BackendError> {
        let statuses = self
            .survey(|node| {
                let name = name.clone();
                Box::pin(async move { node.inspect(&name).await })
            })
            .await?;
        Ok(survey::merge(name, &statuses, self.majority()))
    }

    async fn list(&self, namespace: &str) -> Result<Vec<Name>, BackendError> {
        let lists = self
            .survey(|node| {
                let namespace = namespace.to_owned();
                Box::pin(async move { node.list(&namespace).await })
            })
            .await?;
        Ok(survey::union(&lists))
    }

    async fn force_release(&self, name: &Name, holder: HolderId) -> Result<Standing, BackendError> {
        let answers = self
            .survey(|node| {
                let name = name.clone();
                Box::pin(async move { node.force_release(&name, holder).await })
            })
            .await?;
        Ok(standings::decide(&answers, self.majority()).unwrap_or_else(|| standings::mixed(&answers)))
    }

    /// A server that cannot be reached keeps its limit: as long as a majority knows the new one, no slot above it is given.
    async fn resize(&self, name: &Name, limit: Option<u32>) -> Result<Option<u32>, BackendError> {
        let before = self
            .survey(|node| {
                let name = name.clone();
                Box::pin(async move { node.resize(&name, limit).await })
            })
            .await?;
        Ok(before.median(|before| *before))
    }

    async fn add_permits(&self, addition: &Addition) -> Result<Added, BackendError> {
        let added = self
            .survey(|node| {
                let addition = addition.clone();
                Box::pin(async move { node.add_permits(&addition).await })
            })
            .await?;
        Ok(survey::added(&added))
    }

    fn keeper_handle(&self) -> Arc<dyn LockBackend> {
        Arc::new(Quorum {
            nodes: self.handles(),
            clock: Arc::clone(&self.clock),
            horizon: Arc::clone(&self.horizon),
            mail: Arc::clone(&self.mail),
            paces: Arc::clone(&self.paces),
            unsettled: Arc::clone(&self.unsettled),
            fails_at_once: false,
        })
    }
}

impl<B> Clone for Quorum<B> {
    fn clone(&self) -> Self {
        Self {
            nodes: Arc::clone(&self.nodes),
            clock: Arc::clone(&self.clock),
            horizon: Arc::clone(&self.horizon),
            mail: Arc::clone(&self.mail),
            paces: Arc::clone(&self.paces),
            unsettled: Arc::clone(&self.unsettled),
            fails_at_once: self.fails_at_once,
        }
    }
}

impl<B: fmt::Debug> fmt::Debug for Quorum<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.nodes.iter().map(|node| (&node.name, &node.backend)))
            .finish()
    }
}
