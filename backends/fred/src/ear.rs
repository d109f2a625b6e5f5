//! A connection that only listens.
//!
//! fred never reads the answer to SUBSCRIBE: it reports success as soon as it has written, and where the server refuses,
//! the refusal is taken for the answer to the next command, and so on for ever; or dropped, where none waits. So nothing else
//! may share this connection, a PING shows how far the server has got, and a refusal ends the connection.

use std::sync::{Arc, Weak};
use std::time::Duration;

use fred::error::Error;
use fred::interfaces::{EventInterface, PubsubInterface};
use fred::types::{Message, Resp3Frame};
use semafence::{BackendError, Inbox, Wakeup};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::failure;
use crate::line::{Command, End, Line};
use crate::mailboxes::Mailboxes;
use crate::reply;

/// A connection that only listens. Once it is over its listeners end.
pub(crate) struct Ear {
    line: Line,
    mailboxes: Arc<Mailboxes>,
    /// Held from looking who listens until the server has confirmed: a listener that comes while the last one leaves must
    /// not lose the subscription.
    subscribing: tokio::sync::Mutex<()>,
}

impl Ear {
    /// Listens on this connection, and no longer than another one lasts, that of the commands.
    pub(crate) fn new(line: Line, [closed, lost]: [Arc<End>; 2]) -> Self {
        let mailboxes = Arc::new(Mailboxes::open());
        let tail = Tail(Arc::clone(&mailboxes));
        let (messages, end) = (line.client().message_rx(), Arc::clone(line.end()));
        tokio::spawn(async move {
            tokio::select! {
                () = deliver(messages, &tail.0) => {}
                () = end.wait() => {}
                () = closed.wait() => {}
                () = lost.wait() => {}
            }
        });
        Self {
            line,
            mailboxes,
            subscribing: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.mailboxes.is_closed()
    }

    /// Subscribes, and returns once the server has confirmed it.
    pub(crate) async fn listen(
        self: &Arc<Self>,
        inbox: Inbox,
        address: &str,
        limit: Duration,
    ) -> Result<Mail, BackendError> {
        let _one_at_a_time = self.subscribing.lock().await;
        // Listen before subscribing, or what arrives between the confirmation and its reader is lost.
        let mail = Mail {
            wakeups: self.mailboxes.add(inbox),
            ear: Arc::downgrade(self),
            inbox,
        };
        let told = |error: Error| failure::unanswered(&error, address, limit);
        let refusal = match tokio::time::timeout(limit, self.subscribe(inbox, limit)).await {
            Ok(answer) => answer.map_err(told).and_then(confirmed).err(),
            Err(_elapsed) => Some(BackendError::timed_out(limit)),
        };
        match refusal {
            None => Ok(mail),
            Some(error) => {
                self.mailboxes.close();
                Err(error)
            }
        }
    }

    /// What the server says after SUBSCRIBE: an array while something is subscribed to, a refusal, or else nothing of it.
    async fn subscribe(&self, inbox: Inbox, limit: Duration) -> Result<Resp3Frame, Error> {
        // In one go, so that a refusal finds the PING waiting.
        let subscribed = self.line.client().subscribe(inbox.channel());
        let (subscribed, answer) = futures::join!(subscribed, self.line.send(Command::new("PING"), limit));
        subscribed?;
        match answer? {
            Resp3Frame::SimpleString { .. } => {
                // The refusal found nobody waiting. As a command of no special kind it is answered like any other.
                let again = Command::new("SUBSCRIBE").arg(inbox.channel());
                self.line.send(again, limit).await
            }
            answer => Ok(answer),
        }
    }

    async fn forget(&self, inbox: Inbox) {
        let _one_at_a_time = self.subscribing.lock().await;
        if self.mailboxes.forget_deserted(inbox) {
            let _a_lost_connection_has_none = self.line.client().unsubscribe(inbox.channel()).await;
        }
    }
}

/// What arrives for one inbox. The last of an inbox ends the subscription.
pub(crate) struct Mail {
    wakeups: UnboundedReceiver<Wakeup>,
    ear: Weak<Ear>,
    inbox: Inbox,
}

impl Mail {
    /// The next wake-up, or nothing any more once the connection is over.
    pub(crate) async fn next(&mut self) -> Option<Wakeup> {
        self.wakeups.recv().await
    }
}

impl Drop for Mail {
    fn drop(&mut self) {
        self.wakeups.close();
        // Without a runtime the subscription stays until its connection ends; its messages go nowhere.
        if let (Some(ear), Ok(runtime)) = (self.ear.upgrade(), tokio::runtime::Handle::try_current()) {
            let inbox = self.inbox;
            runtime.spawn(async move { ear.forget(inbox).await });
        }
    }
}

/// Kept by the task that delivers, and dropped with it: by an end of a connection or of the runtime.
struct Tail(Arc<Mailboxes>);

impl Drop for Tail {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn confirmed(answer: Resp3Frame) -> Result<(), BackendError> {
    match reply::error(&answer) {
        None => Ok(()),
        Some(text) => Err(failure::replied(text)),
    }
}

async fn deliver(mut messages: Receiver<Message>, mailboxes: &Mailboxes) {
    loop {
        match messages.recv().await {
            Ok(message) => {
                let bytes = message.value.as_bytes().unwrap_or_default();
                mailboxes.deliver(&message.channel, bytes);
            }
            // fred drops the oldest when its buffer is full.
            Err(RecvError::Lagged(_)) => mailboxes.tell_missed(),
            Err(RecvError::Closed) => return,
        }
    }
}
