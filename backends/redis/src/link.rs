//! One connection, and the inboxes that listen on it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::{AsyncPushSender, MultiplexedConnection, SendError};
use redis::{PushInfo, PushKind, Value};
use semafence::{Inbox, Wakeup, script};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::AbortHandle;
use tokio::time::Instant;

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
        self.mailboxes.closed.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.mailboxes.close();
    }

    /// What arrives for an inbox from now on; ends with the connection.
    pub(crate) fn listen(&self, inbox: Inbox) -> UnboundedReceiver<Wakeup> {
        self.mailboxes.add(inbox)
    }

    /// Whether the last listener of this inbox is gone. True once.
    pub(crate) fn is_deserted(&self, inbox: Inbox) -> bool {
        self.mailboxes.remove_deserted(inbox)
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

/// The listeners on a connection, by channel.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    closed: AtomicBool,
    listeners: Mutex<Listeners>,
}

type Listeners = HashMap<Vec<u8>, Vec<UnboundedSender<Wakeup>>>;

impl Mailboxes {
    fn add(&self, inbox: Inbox) -> UnboundedReceiver<Wakeup> {
        let (sender, receiver) = unbounded_channel();
        let mut listeners = self.listeners();
        // Under the lock, or a listener could be added after the others were told of the end.
        if !self.closed.load(Ordering::Acquire) {
            let same_inbox = listeners.entry(inbox.channel().into_bytes()).or_default();
            same_inbox.retain(|listener| !listener.is_closed());
            same_inbox.push(sender);
        }
        receiver
    }

    fn remove_deserted(&self, inbox: Inbox) -> bool {
        let channel = inbox.channel().into_bytes();
        let mut listeners = self.listeners();
        let is_deserted = |same_inbox: &Vec<UnboundedSender<_>>| same_inbox.iter().all(UnboundedSender::is_closed);
        listeners.get(&channel).is_some_and(is_deserted) && listeners.remove(&channel).is_some()
    }

    fn deliver(&self, channel: &[u8], message: &[u8]) {
        let Some(wakeup) = script::read_wakeup(message) else {
            return;
        };
        if let Some(same_inbox) = self.listeners().get(channel) {
            for listener in same_inbox {
                let _nobody_listens_any_more_is_fine = listener.send(wakeup);
            }
        }
    }

    fn close(&self) {
        let mut listeners = self.listeners();
        self.closed.store(true, Ordering::Release);
        listeners.clear();
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Kept by the task that drives a connection, and dropped with it: by an end of the connection or of the runtime.
#[derive(Debug)]
pub(crate) struct Tail(Arc<Mailboxes>);

impl Tail {
    pub(crate) fn new(mailboxes: Arc<Mailboxes>) -> Self {
        Self(mailboxes)
    }
}

impl Drop for Tail {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl AsyncPushSender for Tail {
    fn send(&self, info: PushInfo) -> Result<(), SendError> {
        match (info.kind, &info.data[..]) {
            (PushKind::Message, [Value::BulkString(channel), Value::BulkString(message)]) => {
                self.0.deliver(channel, message);
            }
            (PushKind::Disconnection, _) => self.0.close(),
            _ => {}
        }
        Ok(())
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

/// Since when a connection has not answered.
#[derive(Debug, Default)]
pub(crate) struct Stall {
    is_stalled: AtomicBool,
    since: Mutex<Option<Instant>>,
}

impl Stall {
    /// An answer came.
    pub(crate) fn end(&self) {
        // Nearly always nothing has stalled, and then nothing is written.
        if self.is_stalled.load(Ordering::Relaxed) {
            let mut since = self.since();
            self.is_stalled.store(false, Ordering::Relaxed);
            *since = None;
        }
    }

    /// A request sent at `sent` got no answer in time. Whether it is the second in a row: one that was sent after
    /// the first had been given up, since requests sent side by side fail by one and the same pause.
    pub(crate) fn is_second(&self, sent: Instant) -> bool {
        let mut since = self.since();
        match *since {
            Some(first) => sent >= first,
            None => {
                self.is_stalled.store(true, Ordering::Relaxed);
                *since = Some(Instant::now());
                false
            }
        }
    }

    fn since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn two_timeouts_are_in_a_row_only_one_after_the_other() {
        let stall = Stall::default();
        let sent = Instant::now();
        tokio::time::advance(Duration::from_secs(2)).await;

        assert!(!stall.is_second(sent));
        assert!(!stall.is_second(sent), "sent side by side with the first");
        assert!(stall.is_second(Instant::now()));

        stall.end();
        assert!(!stall.is_second(Instant::now()), "an answer came between");
    }

    #[test]
    fn a_listener_that_comes_after_the_end_ends_at_once() {
        let mailboxes = Arc::new(Mailboxes::default());
        drop(Tail::new(Arc::clone(&mailboxes)));

        let mut late = mailboxes.add(Inbox::from_bits(1));

        assert_eq!(late.blocking_recv(), None);
    }
}
