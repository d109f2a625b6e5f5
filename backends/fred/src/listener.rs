//! The wake-ups of one inbox, over one connection after the other.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use semafence::{BackendError, Inbox, Wakeup};

use crate::ear::{Ear, Mail};
use crate::lane::Lane;
use crate::link::Link;
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
    let ear = ear_of(lane, &link).await?;
    ear.listen(inbox, link.address(), lane.connector().response_timeout)
        .await
}

/// The connection that listens beside one that carries commands, one for all inboxes.
async fn ear_of(lane: &Lane, link: &Link) -> Result<Arc<Ear>, BackendError> {
    let mut place = link.ear.lock().await;
    match &*place {
        Some(ear) if !ear.is_over() => Ok(Arc::clone(ear)),
        _ => {
            let ear = Arc::new(lane.connector().connect_ear(link).await?);
            *place = Some(Arc::clone(&ear));
            Ok(ear)
        }
    }
}
