//! A way to the server: one connection at a time, replaced when it is no good any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use fred::error::Error;
use fred::types::Resp3Frame;
use fred::types::config::ServerConfig;
use futures::FutureExt;
use futures::future::{BoxFuture, Shared, join_all};
use semafence::{BackendError, Reconnect, ServerRun};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

use crate::connector::{Connector, address_of};
use crate::failure;
use crate::line::{Command, End};
use crate::link::Link;
use crate::pause::{self, jittered};
use crate::reply;
use crate::watch::watch;

/// How often a request that was not sent is given to a fresh connection.
const SENDINGS_MAX: usize = 3;

/// A way to the server. Clones share the connection.
///
/// It is opened by the first request, once for all who wait for it, and driven by the runtime of that request. It is
/// replaced when it was lost, when its runtime ended, when the server turned out to be a replica, when Sentinel names
/// another master, and after two timeouts in a row: a server that vanished without a word is not left otherwise. A
/// connection that is over is replaced at once, also while nobody asks for anything, if its runtime is still there.
///
/// Nothing is ever sent twice: a request that cannot be on the wire goes out on a fresh connection, and for any other
/// the caller decides.
#[derive(Debug, Clone)]
pub(crate) struct Lane(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    connector: Arc<Connector>,
    state: Mutex<State>,
    watching: Mutex<Option<Watching>>,
    /// The master of which Sentinel has told last.
    moved: watch::Sender<Option<ServerConfig>>,
    /// The same, until somebody has tried to connect to it.
    untried: Mutex<Option<ServerConfig>>,
    /// Why there is no connection, as far as that is known: whoever gives up waiting for one has nothing else to say.
    trouble: Mutex<Option<BackendError>>,
    /// How often a lost connection has come back.
    returns: watch::Sender<Returns>,
}

/// How often a lost connection has come back.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Returns {
    /// To another server than before, or to the same one started anew.
    pub(crate) to_another: u64,
    to_the_same: u64,
}

impl Returns {
    fn count(&mut self, reconnect: Reconnect) {
        match reconnect {
            Reconnect::Another => self.to_another += 1,
            Reconnect::Same => self.to_the_same += 1,
        }
    }
}

enum State {
    Idle,
    Opening { opening: Opening, since: Instant },
    Open(Arc<Link>),
}

type Opening = Shared<BoxFuture<'static, Result<Arc<Link>, BackendError>>>;

/// By when a verb has to be answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    at: Instant,
    limit: Duration,
}

impl Deadline {
    pub(crate) fn after(limit: Duration) -> Self {
        Self {
            at: Instant::now() + limit,
            limit,
        }
    }

    fn remaining(self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }
}

impl Lane {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self(Arc::new(Inner {
            connector,
            state: Mutex::new(State::Idle),
            watching: Mutex::default(),
            moved: watch::Sender::new(None),
            untried: Mutex::default(),
            trouble: Mutex::default(),
            returns: watch::Sender::default(),
        }))
    }

    pub(crate) fn connector(&self) -> &Arc<Connector> {
        &self.0.connector
    }

    /// Sends one command and reads its answer, which may be an error reply.
    pub(crate) async fn send(
        &self,
        command: impl Fn() -> Command + Send + Sync,
        deadline: Deadline,
    ) -> Result<Resp3Frame, BackendError> {
        let mut answers = self.send_all(|| vec![command()], deadline).await?;
        answers.pop().expect("one command has one answer")
    }

    /// Sends several commands in one go and reads their answers, each of which may be an error reply.
    pub(crate) async fn send_all(
        &self,
        commands: impl Fn() -> Vec<Command> + Send + Sync,
        deadline: Deadline,
    ) -> Result<Vec<Result<Resp3Frame, BackendError>>, BackendError> {
        self.send_all_via(commands, deadline)
            .await
            .map(|(_link, answers)| answers)
    }

    /// The same, and says over which connection.
    pub(crate) async fn send_all_via(
        &self,
        commands: impl Fn() -> Vec<Command> + Send + Sync,
        deadline: Deadline,
    ) -> Result<(Arc<Link>, Vec<Result<Resp3Frame, BackendError>>), BackendError> {
        for _ in 0..SENDINGS_MAX {
            let link = self.link_by(deadline).await?;
            let answers = self.exchange(&link, commands(), deadline).await;
            let is_unsent = |answer: &Result<_, Error>| matches!(answer, Err(error) if failure::is_unsent(error));
            if answers.iter().all(is_unsent) {
                self.retire(&link);
                continue;
            }
            let told = |error| failure::unanswered(&error, link.address(), deadline.limit);
            let answers = answers.into_iter().map(|answer| answer.map_err(told)).collect();
            return Ok((link, answers));
        }
        Err(failure::unsent(&self.connector().address()))
    }

    /// The connection that is there, or a new one.
    pub(crate) async fn link(&self) -> Result<Arc<Link>, BackendError> {
        let link = self.current_or_opened().await?;
        if link.is_closed() {
            // Lost between being made and being used, and so nothing was sent on it.
            return self.current_or_opened().await;
        }
        Ok(link)
    }

    async fn link_by(&self, deadline: Deadline) -> Result<Arc<Link>, BackendError> {
        match timeout_at(deadline.at, self.link()).await {
            Ok(link) => link,
            Err(_elapsed) => Err(self.late(deadline.limit)),
        }
    }

    /// Uses a connection for some commands, and judges the connection by how that went.
    async fn exchange(
        &self,
        link: &Arc<Link>,
        commands: Vec<Command>,
        deadline: Deadline,
    ) -> Vec<Result<Resp3Frame, Error>> {
        let flight = Flight::start(self, link, deadline.limit);
        let remaining = deadline.remaining();
        let answers = match <[Command; 1]>::try_from(commands) {
            Ok([command]) => vec![link.line().send(command, remaining).await],
            Err(commands) => join_all(commands.into_iter().map(|command| link.line().send(command, remaining))).await,
        };
        if answers.iter().any(Result::is_ok) {
            flight.land();
        } else if !answers.iter().any(is_timeout) {
            flight.crash();
        }
        if answers.iter().flatten().any(reply::is_misplaced) {
            tracing::warn!(address = link.address(), "the server is a replica: connecting anew");
            self.retire(link);
        }
        answers
    }

    /// How often a lost connection has come back, as that changes.
    pub(crate) fn returns(&self) -> watch::Receiver<Returns> {
        self.0.returns.subscribe()
    }

    /// Sentinel says that this is the master now.
    pub(crate) fn moved_to(&self, master: &ServerConfig) {
        let left = match &*self.state() {
            State::Open(link) if link.server() == master => return,
            State::Open(link) => Some(Arc::clone(link)),
            State::Idle | State::Opening { .. } => None,
        };
        *self.untried() = Some(master.clone());
        self.0.moved.send_replace(Some(master.clone()));
        if let Some(link) = left {
            let (from, to) = (link.address(), address_of(master));
            tracing::info!(from, to, "another server has become master: connecting anew");
            self.forget(&link);
            link.cut();
        }
    }

    fn untried(&self) -> MutexGuard<'_, Option<ServerConfig>> {
        self.0.untried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes no more requests to this connection; those under way may still be answered.
    fn retire(&self, link: &Arc<Link>) {
        self.forget(link);
        link.close();
    }

    fn forget(&self, link: &Arc<Link>) {
        let mut state = self.state();
        if matches!(&*state, State::Open(open) if Arc::ptr_eq(open, link)) {
            *state = State::Idle;
        }
    }

    async fn current_or_opened(&self) -> Result<Arc<Link>, BackendError> {
        let opening = match self.current() {
            Ok(link) => return Ok(link),
            Err(opening) => opening,
        };
        let opened = opening.clone().await;
        self.settle(&opening, &opened);
        opened
    }

    /// The connection, or the attempt to make one.
    fn current(&self) -> Result<Arc<Link>, Opening> {
        let mut state = self.state();
        match &*state {
            State::Open(link) if !link.is_closed() => return Ok(Arc::clone(link)),
            // A runtime that nobody drives any more never finishes what it has begun.
            State::Opening { opening, since } if since.elapsed() <= self.0.connector.connect_timeout * 2 => {
                return Err(opening.clone());
            }
            _ => {}
        }
        let opening = self.open();
        *state = State::Opening {
            opening: opening.clone(),
            since: Instant::now(),
        };
        Err(opening)
    }

    /// Connects in a task of its own, so that a caller who gives up early does not take the attempt with it.
    fn open(&self) -> Opening {
        self.keep_watching();
        let lane = self.clone();
        let task = tokio::spawn(async move {
            let link = lane.connect().await.map(Arc::new)?;
            tokio::spawn(replace(Arc::downgrade(&lane.0), link.ends(), link.run().clone()));
            Ok(link)
        });
        let connector = Arc::clone(&self.0.connector);
        async move {
            task.await
                .unwrap_or_else(|_| Err(failure::interrupted(&connector.address())))
        }
        .boxed()
        .shared()
    }

    /// Connects, and starts anew when Sentinel names another master meanwhile: the one before may hang, and would be
    /// waited for until the timeout. While there is no master it seeks one until then: whoever asks shall wait for it, and
    /// not fail at once and pause longer and longer, past the end of the failover.
    async fn connect(&self) -> Result<Link, BackendError> {
        let mut moved = self.0.moved.subscribe();
        let until = Instant::now() + self.connector().connect_timeout;
        loop {
            // What was announced is known before the other sentinels know it.
            let told = self.untried().take();
            let link = tokio::select! {
                biased;
                link = self.connector().connect(told.clone()) => link,
                () = moved_from(&mut moved, told.as_ref()) => continue,
            };
            match link {
                Err(_the_sentinels_may_know_better) if told.is_some() => {}
                Err(error) if self.may_pass_by(until, &error) => {
                    self.note(Some(error));
                    let _moved_or_not_it_is_time = timeout(pause::SEEK, moved_from(&mut moved, None)).await;
                }
                link => {
                    self.note(None);
                    return link;
                }
            }
        }
    }

    /// Whether sentinels may name another master in time.
    fn may_pass_by(&self, until: Instant, error: &BackendError) -> bool {
        self.connector().sentinels().is_some() && error.is_transient() && Instant::now() + pause::SEEK < until
    }

    fn note(&self, trouble: Option<BackendError>) {
        *self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// There was no connection in time, so nothing was sent.
    fn late(&self, limit: Duration) -> BackendError {
        let trouble = self.0.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        failure::late(&self.connector().address(), limit, trouble.as_ref())
    }

    /// Listens to the sentinels, unless somebody does so on a runtime that is still there.
    fn keep_watching(&self) {
        if self.connector().sentinels().is_none() {
            return;
        }
        let mut watching = self.0.watching.lock().unwrap_or_else(PoisonError::into_inner);
        if watching.as_ref().is_none_or(|watching| watching.0.is_finished()) {
            let timeout = self.connector().connect_timeout;
            *watching = Some(Watching(tokio::spawn(watch(Arc::downgrade(&self.0), timeout))));
        }
    }

    /// Whoever waited for an attempt notes how it ended; the first one counts.
    fn settle(&self, ended: &Opening, opened: &Result<Arc<Link>, BackendError>) {
        let mut state = self.state();
        if matches!(&*state, State::Opening { opening, .. } if opening.ptr_eq(ended)) {
            *state = match opened {
                Ok(link) => State::Open(Arc::clone(link)),
                Err(_) => State::Idle,
            };
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Completes when a master is announced that is not this one; all sentinels announce the same.
async fn moved_from(moved: &mut watch::Receiver<Option<ServerConfig>>, told: Option<&ServerConfig>) {
    while moved.changed().await.is_ok() {
        if moved.borrow_and_update().as_ref() != told {
            return;
        }
    }
    std::future::pending().await
}

/// Waits until a connection is over that led to the run `before`, and makes the next one.
async fn replace(lane: Weak<Inner>, [closed, lost]: [Arc<End>; 2], before: ServerRun) {
    tokio::select! {
        () = closed.wait() => {}
        () = lost.wait() => {}
    }
    while let Some(inner) = lane.upgrade() {
        let lane = Lane(inner);
        let mut moved = lane.0.moved.subscribe();
        let pause = match lane.link().await {
            Ok(link) => {
                let reconnect = link.run().after(&before);
                lane.0.returns.send_modify(|returns| returns.count(reconnect));
                return;
            }
            Err(error) => {
                tracing::debug!(%error, "cannot connect anew");
                if error.is_transient() {
                    pause::RECONNECT
                } else {
                    pause::REFUSED
                }
            }
        };
        drop(lane);
        let _a_lane_that_is_gone_ends_the_loop = timeout(jittered(pause), moved.changed()).await;
    }
}

/// The task that listens to the sentinels.
#[derive(Debug)]
struct Watching(JoinHandle<()>);

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Idle => "Idle",
            Self::Opening { .. } => "Opening",
            Self::Open(_) => "Open",
        })
    }
}

fn is_timeout<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(error) if *error.kind() == fred::error::ErrorKind::Timeout)
}

/// A request under way. One that is given up unanswered, by timeout or by its caller, speaks against the connection.
struct Flight<'a> {
    lane: &'a Lane,
    link: &'a Arc<Link>,
    sent: Instant,
    limit: Duration,
    has_landed: bool,
}

impl<'a> Flight<'a> {
    fn start(lane: &'a Lane, link: &'a Arc<Link>, limit: Duration) -> Self {
        Self {
            lane,
            link,
            sent: Instant::now(),
            limit,
            has_landed: false,
        }
    }

    fn land(mut self) {
        self.has_landed = true;
        self.link.stall().end();
    }

    /// The connection is lost, which says so by itself.
    fn crash(mut self) {
        self.has_landed = true;
        self.lane.retire(self.link);
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        // A caller who hardly waited proves nothing.
        if self.has_landed || self.sent.elapsed() < self.limit / 4 {
            return;
        }
        if self.link.stall().is_second(self.sent) {
            tracing::warn!(
                address = self.link.address(),
                "no answer twice in a row: connecting anew"
            );
            self.lane.retire(self.link);
        }
    }
}
