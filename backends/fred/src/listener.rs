//! The wake-ups of one inbox, over one connection after the other.

use std::sync::{Arc, Weak};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use semafence::{BackendError, Inbox, Wakeup};

use crate::ear::Mail;
use crate::lane::Lane;
use crate::pause::jittered;

const RETRY_MIN: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(1);

/// Listens, and goes on listening when a connection is lost; the stream never ends.
pub(crate) async fn listen(lane: Lane, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
    let mail = open(&lane, inbox).await?;
    let listener = Listener { lane, inbox, mail };
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
    mail: Mail,
}

impl Listener {
    async fn next(&mut self) -> Wakeup {
        if let Some(wakeup) = self.mail.next().await {
            return wakeup;
        }
        self.mail = reopen(&self.lane, self.inbox).await;
        Wakeup::Missed
    }
}

async fn reopen(lane: &Lane, inbox: Inbox) -> Mail {
    let mut pause = RETRY_MIN;
    loop {
        match open(lane, inbox).await {
            Ok(mail) => return mail,
            Err(error) => tracing::debug!(%error, ?pause, "cannot listen for wake-ups"),
        }
        tokio::time::sleep(jittered(pause)).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

/// Subscribes, and returns once the server has confirmed it.
async fn open(lane: &Lane, inbox: Inbox) -> Result<Mail, BackendError> {
    let link = lane.link().await?;
    let mut ears = link.ears.lock().await;
    let there = ears.get(&inbox).and_then(Weak::upgrade).filter(|ear| !ear.is_over());
    if let Some(ear) = there {
        return Ok(ear.listen());
    }
    let ear = Arc::new(lane.connector().connect_ear(&link).await?);
    // Listen before subscribing, or what arrives between the confirmation and its reader is lost.
    let mail = ear.listen();
    let limit = lane.connector().response_timeout;
    ear.subscribe(inbox, link.address(), limit).await?;
    ears.retain(|_, ear| ear.strong_count() > 0);
    ears.insert(inbox, Arc::downgrade(&ear));
    Ok(mail)
}
