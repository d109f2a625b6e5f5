//! A connection that only listens, to one inbox.
//!
//! fred never reads the answer to SUBSCRIBE: it reports success as soon as it has written. Where the server refuses, the
//! refusal is dropped, or if anything waits for an answer it is taken for that, and from then on every answer for the one to
//! the command before. So nothing else may share this connection, and a PING shows what became of the SUBSCRIBE: version 2
//! of the protocol answers it by an array while something is subscribed to. A second channel would look like the first.

use std::sync::Arc;
use std::time::Duration;

use fred::error::Error;
use fred::interfaces::{EventInterface, PubsubInterface};
use fred::types::{Message, Resp3Frame};
use semafence::{BackendError, Inbox, Wakeup, script};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::failure;
use crate::line::{Command, End, Line};
use crate::mailboxes::Mailboxes;
use crate::reply;

/// A connection that only listens, to one inbox. Once it is over its listeners end; it ends with the last of them.
pub(crate) struct Ear {
    line: Line,
    mailboxes: Arc<Mailboxes>,
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
        Self { line, mailboxes }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.mailboxes.is_closed()
    }

    pub(crate) fn listen(self: &Arc<Self>) -> Mail {
        Mail {
            wakeups: self.mailboxes.add(),
            _ear: Arc::clone(self),
        }
    }

    /// Subscribes, and returns once the server has confirmed it.
    pub(crate) async fn subscribe(&self, inbox: Inbox, address: &str, limit: Duration) -> Result<(), BackendError> {
        let told = |error: Error| failure::unanswered(&error, address, limit);
        let answer = tokio::time::timeout(limit, self.ask(inbox, limit)).await;
        let answer = answer
            .map_err(|_elapsed| BackendError::timed_out(limit))?
            .map_err(told)?;
        match reply::error(&answer) {
            None => Ok(()),
            Some(text) => Err(failure::replied(text)),
        }
    }

    async fn ask(&self, inbox: Inbox, limit: Duration) -> Result<Resp3Frame, Error> {
        self.line.client().subscribe(inbox.channel()).await?;
        match self.line.send(Command::new("PING"), limit).await? {
            Resp3Frame::SimpleString { .. } => {
                // The refusal was dropped. A command that fred takes for no special one is answered like any other.
                let again = Command::new("SUBSCRIBE").arg(inbox.channel());
                self.line.send(again, limit).await
            }
            answer => Ok(answer),
        }
    }
}

/// What arrives for one listener.
pub(crate) struct Mail {
    wakeups: UnboundedReceiver<Wakeup>,
    _ear: Arc<Ear>,
}

impl Mail {
    /// The next wake-up, or nothing any more once the connection is over.
    pub(crate) async fn next(&mut self) -> Option<Wakeup> {
        self.wakeups.recv().await
    }
}

/// Kept by the task that delivers, and dropped with it: by an end of a connection or of the runtime.
struct Tail(Arc<Mailboxes>);

impl Drop for Tail {
    fn drop(&mut self) {
        self.0.close();
    }
}

async fn deliver(mut messages: Receiver<Message>, mailboxes: &Mailboxes) {
    loop {
        let wakeup = match messages.recv().await {
            Ok(message) => message.value.as_bytes().and_then(script::read_wakeup),
            // fred drops the oldest when its buffer is full.
            Err(RecvError::Lagged(_)) => Some(Wakeup::Missed),
            Err(RecvError::Closed) => return,
        };
        if let Some(wakeup) = wakeup {
            mailboxes.deliver(wakeup);
        }
    }
}
