//! One connection, and the inboxes that listen on it.

use std::sync::{Arc, OnceLock};

use redis::aio::MultiplexedConnection;
use semafence::{Inbox, ServerRun, Stall, Wakeup};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use crate::endpoint::Endpoint;
use crate::mailboxes::{Mailboxes, Tail};

/// One connection. Once closed it takes no new requests, and its listeners end.
#[derive(Debug)]
pub(crate) struct Link {
    endpoint: Arc<Endpoint>,
    server: ServerRun,
    /// The configuration epoch in which sentinels have named it.
    epoch: Option<u64>,
    connection: MultiplexedConnection,
    mailboxes: Arc<Mailboxes>,
    has_push: bool,
    subscribing: tokio::sync::Mutex<()>,
    stall: Stall,
    left: CancellationToken,
    _watch: Option<Companion>,
    guard: OnceLock<Companion>,
}

impl Link {
    /// A connection whose driver holds the [`Tail`] of these mailboxes.
    pub(crate) fn with_push(
        endpoint: Arc<Endpoint>,
        connection: MultiplexedConnection,
        mailboxes: Arc<Mailboxes>,
    ) -> Self {
        Self {
            server: ServerRun::new(endpoint.address(), None),
            endpoint,
            epoch: None,
            connection,
            mailboxes,
            has_push: true,
            subscribing: tokio::sync::Mutex::default(),
            stall: Stall::default(),
            left: CancellationToken::new(),
            _watch: None,
            guard: OnceLock::new(),
        }
    }

    /// A connection whose driver tells nothing; at least the end of its runtime is noticed.
    pub(crate) fn without_push(endpoint: Arc<Endpoint>, connection: MultiplexedConnection) -> Self {
        let mailboxes = Arc::new(Mailboxes::default());
        let tail = Tail::new(Arc::clone(&mailboxes));
        let watch = Companion::start(async move {
            let _tail = tail;
            std::future::pending::<()>().await;
        });
        Self {
            has_push: false,
            _watch: Some(watch),
            ..Self::with_push(endpoint, connection, mailboxes)
        }
    }

    /// Runs `guard` beside this connection, for as long as that is used.
    pub(crate) fn set_guard(&self, guard: impl Future<Output = ()> + Send + 'static) {
        self.guard.get_or_init(|| Companion::start(guard));
    }

    /// What the server has answered to `INFO server`.
    pub(crate) fn informed(self, info: Option<&str>) -> Self {
        let server = ServerRun::new(self.address(), info);
        Self { server, ..self }
    }

    /// The run of the server that it leads to.
    pub(crate) fn server(&self) -> &ServerRun {
        &self.server
    }

    pub(crate) fn in_epoch(self, epoch: u64) -> Self {
        Self {
            epoch: Some(epoch),
            ..self
        }
    }

    pub(crate) fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    pub(crate) fn address(&self) -> &str {
        self.endpoint.address()
    }

    pub(crate) fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }

    /// Whether messages arrive on this connection, between the answers.
    pub(crate) fn has_push(&self) -> bool {
        self.has_push
    }

    /// Whether nothing can be sent any more. Says so of a connection that was lost, too, if its driver has noticed.
    pub(crate) fn is_closed(&self) -> bool {
        self.mailboxes.is_closed()
    }

    /// Waits until it is closed.
    pub(crate) async fn closed(&self) {
        self.mailboxes.closed().await;
    }

    /// Closes it; nobody waits any longer for answers to what is under way.
    pub(crate) fn leave(&self) {
        self.left.cancel();
        self.mailboxes.close();
    }

    /// Waits until it is left.
    pub(crate) async fn left(&self) {
        self.left.cancelled().await;
    }

    /// What arrives for an inbox from now on; ends with the connection.
    pub(crate) fn listen(&self, inbox: Inbox) -> UnboundedReceiver<Wakeup> {
        self.mailboxes.add(inbox)
    }

    /// Forgets an inbox whose last listener is gone, and says whether that was so.
    pub(crate) fn forget_deserted(&self, inbox: Inbox) -> bool {
        self.mailboxes.forget_deserted(inbox)
    }

    /// Hold this from looking who listens until the server has confirmed: a listener that comes while the last one
    /// leaves must not lose the subscription.
    pub(crate) async fn subscribing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.subscribing.lock().await
    }

    pub(crate) fn stall(&self) -> &Stall {
        &self.stall
    }
}

/// A task on the runtime that drives a connection; ends with the connection.
#[derive(Debug)]
struct Companion(AbortHandle);

impl Companion {
    fn start(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task).abort_handle())
    }
}

impl Drop for Companion {
    fn drop(&mut self) {
        self.0.abort();
    }
}
