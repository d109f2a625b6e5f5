//! A store over a majority of independent servers, each slot of which is a majority lock of its own.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use crate::backend::{LockBackend, OPERATION_TIMEOUT_MAX, Queueing};
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::failure::{BackendError, Failure, Outcome};
use crate::vote::{self, Vote};

mod answers;
mod backend;
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
