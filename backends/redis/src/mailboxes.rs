//! Where messages that arrive on a connection are put.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redis::aio::{AsyncPushSender, SendError};
use redis::{PushInfo, PushKind, Value};
use semafence::{Inbox, Wakeup, script};
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The listeners on a connection, by channel.
#[derive(Debug, Default)]
pub(crate) struct Mailboxes {
    closed: AtomicBool,
    told: Notify,
    listeners: Mutex<Listeners>,
}

type Listeners = HashMap<Vec<u8>, Vec<UnboundedSender<Wakeup>>>;

impl Mailboxes {
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) async fn closed(&self) {
        // Before looking, or an end between the two is missed.
        let told = self.told.notified();
        if !self.is_closed() {
            told.await;
        }
    }

    pub(crate) fn add(&self, inbox: Inbox) -> UnboundedReceiver<Wakeup> {
        let (sender, receiver) = unbounded_channel();
        let mut listeners = self.listeners();
        // Under the lock, or a listener could be added after the others were told of the end.
        if !self.is_closed() {
            let same_inbox = listeners.entry(inbox.channel().into_bytes()).or_default();
            same_inbox.retain(|listener| !listener.is_closed());
            same_inbox.push(sender);
        }
        receiver
    }

    pub(crate) fn forget_deserted(&self, inbox: Inbox) -> bool {
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

    pub(crate) fn close(&self) {
        let mut listeners = self.listeners();
        self.closed.store(true, Ordering::Release);
        listeners.clear();
        self.told.notify_waiters();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_comes_after_the_end_ends_at_once() {
        let mailboxes = Arc::new(Mailboxes::default());
        drop(Tail::new(Arc::clone(&mailboxes)));

        let mut late = mailboxes.add(Inbox::from_bits(1));

        assert_eq!(late.blocking_recv(), None);
    }
}
