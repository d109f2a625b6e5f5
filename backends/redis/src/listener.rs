//! The wake-ups of one inbox, over one connection after the other.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use semafence::{BackendError, Inbox, Wakeup, script};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::failure;
use crate::lane::{Deadline, Lane};
use crate::link::Link;
use crate::pause::Pace;

const UNSUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(2);

/// Listens, and goes on listening when a connection is lost; the stream never ends.
pub(crate) async fn listen(lane: Lane, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
    let wakeups = open(&lane, inbox).await?;
    let listener = Listener { lane, inbox, wakeups };
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
    wakeups: BoxStream<'static, Wakeup>,
}

impl Listener {
    async fn next(&mut self) -> Wakeup {
        if let Some(wakeup) = self.wakeups.next().await {
            return wakeup;
        }
        self.wakeups = reopen(&self.lane, self.inbox).await;
        Wakeup::Missed
    }
}

async fn reopen(lane: &Lane, inbox: Inbox) -> BoxStream<'static, Wakeup> {
    let mut pace = Pace::start();
    loop {
        match open(lane, inbox).await {
            Ok(wakeups) => return wakeups,
            Err(error) => tracing::debug!(%error, "cannot listen for wake-ups"),
        }
        pace.next().await;
    }
}

/// Subscribes, and returns once the server has confirmed it.
async fn open(lane: &Lane, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
    let link = lane.link().await?;
    if !link.has_push() {
        return open_pubsub(lane, &link, inbox).await;
    }
    let _one_at_a_time = link.subscribing().await;
    // Listen before subscribing, or what arrives between the confirmation and its reader is lost.
    let ear = Ear::new(&link, inbox);
    let deadline = Deadline::after(lane.connector().response_timeout());
    lane.exchange(&link, deadline, |mut connection| async move {
        connection.subscribe(inbox.channel()).await
    })
    .await?;
    let wakeups = stream::unfold(ear, |mut ear| async move {
        let wakeup = ear.mail.recv().await?;
        Some((wakeup, ear))
    });
    Ok(wakeups.boxed())
}

/// One listener on a connection that carries commands, too. The last of an inbox ends the subscription.
struct Ear {
    mail: UnboundedReceiver<Wakeup>,
    link: Weak<Link>,
    inbox: Inbox,
}

impl Ear {
    fn new(link: &Arc<Link>, inbox: Inbox) -> Self {
        Self {
            mail: link.listen(inbox),
            link: Arc::downgrade(link),
            inbox,
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.mail.close();
        // Without a runtime the subscription stays until its connection ends; its messages go nowhere.
        if let (Some(link), Ok(runtime)) = (self.link.upgrade(), Handle::try_current()) {
            runtime.spawn(unsubscribe(link, self.inbox));
        }
    }
}

async fn unsubscribe(link: Arc<Link>, inbox: Inbox) {
    let _one_at_a_time = link.subscribing().await;
    if link.forget_deserted(inbox) {
        let mut connection = link.connection();
        let unsubscribed = connection.unsubscribe(inbox.channel());
        let _a_lost_connection_has_none = tokio::time::timeout(UNSUBSCRIBE_TIMEOUT, unsubscribed).await;
    }
}

/// Listens on a connection of its own, which is left together with that of the commands.
async fn open_pubsub(lane: &Lane, link: &Arc<Link>, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
    let connector = lane.connector();
    let limit = connector.response_timeout();
    let (mut sink, messages) = connector.connect_pubsub(link.endpoint()).await?.split();
    let subscribed = tokio::time::timeout(limit, sink.subscribe(inbox.channel())).await;
    subscribed
        .map_err(|_elapsed| BackendError::timed_out(limit))?
        .map_err(|error| failure::of_request(error, link.address()))?;
    let mut nothing = link.listen(inbox);
    let left = async move { while nothing.recv().await.is_some() {} };
    let wakeups = messages
        .filter_map(|message| async move { script::read_wakeup(message.get_payload_bytes()) })
        .take_until(left.boxed());
    Ok(wakeups.boxed())
}
