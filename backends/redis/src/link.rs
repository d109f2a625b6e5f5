//! One connection, and the inboxes that listen on it.

use std::sync::Arc;

use redis::aio::MultiplexedConnection;
use semafence::{Inbox, Wakeup};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::AbortHandle;

use crate::mailboxes::{Mailboxes, Tail};
use crate::stall::Stall;

/// One connection. Once closed it takes no new requests, and its listeners end.
#[derive(Debug)]
pub(crate) struct Link {
    connection: MultiplexedConnection,
    mailboxes: Arc<Mailboxes>,
    has_push: bool,
    subscribing: tokio::sync::Mutex<()>,
    stall: Stall,
    _watch: Option<Watch>,
}

impl Link {
    /// A connection whose driver holds the [`Tail`] of these mailboxes.
    pub(crate) fn with_push(connection: MultiplexedConnection, mailboxes: Arc<Mailboxes>) -> Self {
        Self {
            connection,
            mailboxes,
            has_push: true,
            subscribing: tokio::sync::Mutex::default(),
            stall: Stall::default(),
            _watch: None,
        }
    }

    /// A connection whose driver tells nothing; at least the end of its runtime is noticed.
    pub(crate) fn without_push(connection: MultiplexedConnection) -> Self {
        let mailboxes = Arc::new(Mailboxes::default());
        Self {
            connection,
            has_push: false,
            subscribing: tokio::sync::Mutex::default(),
            stall: Stall::default(),
            _watch: Some(Watch::start(Tail::new(Arc::clone(&mailboxes)))),
            mailboxes,
        }
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

    pub(crate) fn close(&self) {
        self.mailboxes.close();
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

/// Keeps a [`Tail`] on the runtime that drives a connection.
#[derive(Debug)]
struct Watch(AbortHandle);

impl Watch {
    fn start(tail: Tail) -> Self {
        let task = tokio::spawn(async move {
            let _tail = tail;
            std::future::pending::<()>().await;
        });
        Self(task.abort_handle())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.abort();
    }
}
