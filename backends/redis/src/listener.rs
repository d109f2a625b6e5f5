//! The wake-ups of one inbox, over one connection after the other.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use semafence::{BackendError, Inbox, Wakeup, script};

use crate::failure;
use crate::lane::{Deadline, Lane};

const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Listens, and goes on listening when a connection is lost; the stream never ends.
pub(crate) async fn listen(lane: Lane, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
    let ear = open(&lane, inbox).await?;
    let listener = Listener { lane, inbox, ear };
    Ok(stream::unfold(listener, |mut listener| async move {
        let wakeup = listener.next().await;
        Some((wakeup, listener))
    })
    .boxed())
}

struct Listener {
    lane: Lane,
    inbox: Inbox,
    /// Ends with its connection.
    ear: BoxStream<'static, Wakeup>,
}

impl Listener {
    async fn next(&mut self) -> Wakeup {
        if let Some(wakeup) = self.ear.next().await {
            return wakeup;
        }
        self.ear = reopen(&self.lane, self.inbox).await;
        Wakeup::Missed
    }
}

async fn reopen(lane: &Lane, inbox: Inbox) -> BoxStream<'static, Wakeup> {
    let mut pause = RETRY_MIN;
    loop {
        match open(lane, inbox).await {
            Ok(ear) => return ear,
            Err(error) => tracing::debug!(%error, ?pause, "cannot listen for wake-ups"),
        }
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// Subscribes, and returns once the server has confirmed it.
async fn open(lane: &Lane, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
    let link = lane.link().await?;
    if !link.has_push() {
        return open_pubsub(lane, inbox).await;
    }
    // Listen before subscribing, or what arrives between the confirmation and its reader is lost.
    let receiver = link.listen(inbox);
    let deadline = Deadline::after(lane.connector().response_timeout());
    lane.exchange(&link, deadline, |mut connection| async move {
        connection.subscribe(inbox.channel()).await
    })
    .await?;
    let wakeups = stream::unfold(receiver, |mut receiver| async move {
        let wakeup = receiver.recv().await?;
        Some((wakeup, receiver))
    });
    Ok(wakeups.boxed())
}

/// Listens on a connection of its own.
async fn open_pubsub(lane: &Lane, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
    let connector = lane.connector();
    let limit = connector.response_timeout();
    let (mut sink, messages) = connector.connect_pubsub().await?.split();
    let subscribed = tokio::time::timeout(limit, sink.subscribe(inbox.channel())).await;
    subscribed
        .map_err(|_elapsed| BackendError::timed_out(limit))?
        .map_err(|error| failure::of_request(error, connector.address()))?;
    let wakeups = messages.filter_map(|message| async move { script::read_wakeup(message.get_payload_bytes()) });
    Ok(wakeups.boxed())
}

/// Half to all of a pause, so that processes which lost one server do not come back to it in step.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(()) % 1024;
    pause / 2 + pause * u32::try_from(random).unwrap_or(0) / 2048
}
