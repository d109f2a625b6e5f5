//! A way to the server: one connection at a time, replaced when it is no good any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, Value};
use semafence::BackendError;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::connector::Connector;
use crate::failure;
use crate::link::Link;
use crate::reply;

/// A way to the server. Clones share the connection.
///
/// It is opened by the first request, once for all who wait for it, and driven by the runtime of that request. It is
/// replaced when it was lost, when its runtime ended, when the server turned out to be a replica, and after two
/// timeouts in a row: a server that vanished without a word is not left otherwise.
///
/// Nothing is ever sent twice: a request that cannot be on the wire goes out on a fresh connection, and for any other
/// the caller decides.
#[derive(Debug, Clone)]
pub(crate) struct Lane(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    connector: Arc<Connector>,
    state: Mutex<State>,
    /// A connection was made.
    opened: Notify,
}

#[derive(Debug)]
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
}

impl Lane {
    pub(crate) fn new(connector: Arc<Connector>) -> Self {
        Self(Arc::new(Inner {
            connector,
            state: Mutex::new(State::Idle),
            opened: Notify::new(),
        }))
    }

    pub(crate) fn connector(&self) -> &Arc<Connector> {
        &self.0.connector
    }

    /// Sends one command and reads its answer, which may be an error reply.
    pub(crate) async fn send(&self, command: &Cmd, deadline: Deadline) -> Result<Value, BackendError> {
        let link = self.link_by(deadline).await?;
        let request =
            |mut connection: MultiplexedConnection| async move { connection.send_packed_command(command).await };
        let answer = self.exchange(&link, deadline, request).await?;
        self.heed(&link, &answer);
        Ok(answer)
    }

    /// Sends several commands in one go and reads their answers, each of which may be an error reply.
    pub(crate) async fn send_all(&self, pipeline: &Pipeline, deadline: Deadline) -> Result<Vec<Value>, BackendError> {
        let link = self.link_by(deadline).await?;
        self.send_all_on(&link, pipeline, deadline).await
    }

    /// The same on this connection, whether it is the latest or not.
    pub(crate) async fn send_all_on(
        &self,
        link: &Arc<Link>,
        pipeline: &Pipeline,
        deadline: Deadline,
    ) -> Result<Vec<Value>, BackendError> {
        let request = |mut connection: MultiplexedConnection| async move {
            connection.send_packed_commands(pipeline, 0, pipeline.len()).await
        };
        let answers = self.exchange(link, deadline, request).await?;
        answers.iter().for_each(|answer| self.heed(link, answer));
        Ok(answers)
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

    /// The connection that is there, or the one that the next request makes.
    pub(crate) async fn first_link(&self) -> Arc<Link> {
        loop {
            // Before looking, or a connection made between the two is missed.
            let opened = self.0.opened.notified();
            if let State::Open(link) = &*self.state() {
                return Arc::clone(link);
            }
            opened.await;
        }
    }

    pub(crate) async fn link_by(&self, deadline: Deadline) -> Result<Arc<Link>, BackendError> {
        match timeout_at(deadline.at, self.link()).await {
            Ok(link) => link,
            Err(_elapsed) => Err(self.0.connector.late(deadline.limit)),
        }
    }

    /// Uses a connection for one request, and judges the connection by how that went.
    pub(crate) async fn exchange<T, F>(
        &self,
        link: &Arc<Link>,
        deadline: Deadline,
        request: impl FnOnce(MultiplexedConnection) -> F,
    ) -> Result<T, BackendError>
    where
        F: Future<Output = Result<T, RedisError>>,
    {
        let flight = Flight::start(self, link, deadline.limit);
        let answer = tokio::select! {
            biased;
            answer = timeout_at(deadline.at, request(link.connection())) => answer,
            () = link.left() => {
                flight.land();
                return Err(failure::left(link.address()));
            }
        };
        let Ok(answer) = answer else {
            return Err(BackendError::timed_out(deadline.limit));
        };
        flight.land();
        answer.map_err(|error| {
            if !failure::is_reply(&error) {
                self.retire(link);
            }
            failure::of_request(error, link.address())
        })
    }

    /// Takes no more requests to this connection, and waits for no more answers.
    fn retire(&self, link: &Arc<Link>) {
        let mut state = self.state();
        if matches!(&*state, State::Open(open) if Arc::ptr_eq(open, link)) {
            *state = State::Idle;
        }
        drop(state);
        link.leave();
    }

    fn heed(&self, link: &Arc<Link>, answer: &Value) {
        if reply::is_misplaced(answer) {
            tracing::warn!(address = link.address(), "the server is a replica: connecting anew");
            self.retire(link);
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
            State::Opening { opening, since } if since.elapsed() <= self.0.connector.connect_timeout() * 2 => {
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
        let connector = Arc::clone(&self.0.connector);
        let task = tokio::spawn(async move { connector.connect().await });
        let connector = Arc::clone(&self.0.connector);
        async move {
            task.await
                .unwrap_or_else(|_| Err(failure::interrupted(&connector.address())))
        }
        .boxed()
        .shared()
    }

    /// Whoever waited for an attempt notes how it ended; the first one counts.
    fn settle(&self, ended: &Opening, opened: &Result<Arc<Link>, BackendError>) {
        let mut state = self.state();
        if matches!(&*state, State::Opening { opening, .. } if opening.ptr_eq(ended)) {
            *state = match opened {
                Ok(link) => State::Open(Arc::clone(link)),
                Err(_) => State::Idle,
            };
            self.0.opened.notify_waiters();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
