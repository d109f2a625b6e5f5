//! Hears from every sentinel at once that another server has become master.

use std::sync::Weak;
use std::time::Duration;

use fred::interfaces::{EventInterface, PubsubInterface};
use fred::types::Message;
use fred::types::config::ServerConfig;
use futures::future::join_all;
use tokio::sync::broadcast::error::RecvError;

use crate::lane::{Inner, Lane};
use crate::line::{Line, Target};
use crate::pause::jittered;

const CHANNEL: &str = "+switch-master";
/// Before a sentinel that is not to be reached is tried again.
const PAUSE: Duration = Duration::from_secs(1);

/// Listens to all sentinels for as long as somebody uses the lane.
///
/// A master that hangs or is cut off does not end a connection, and whoever waits for its answers loses the time that a
/// failover leaves. What all sentinels say is heard of whichever is the first.
pub(crate) async fn watch(lane: Weak<Inner>, timeout: Duration) {
    let Some(sentinels) = lane
        .upgrade()
        .and_then(|inner| Lane(inner).connector().sentinels().cloned())
    else {
        return;
    };
    let listening = sentinels.targets.iter().map(|target| async {
        while lane.strong_count() > 0 {
            listen(&lane, target, &sentinels.service, timeout).await;
            tokio::time::sleep(jittered(PAUSE)).await;
        }
    });
    join_all(listening).await;
}

/// Listens to one sentinel until its connection ends.
async fn listen(lane: &Weak<Inner>, target: &Target, service: &str, timeout: Duration) {
    let Ok(line) = Line::dial(target, timeout, timeout).await else {
        return;
    };
    let mut messages = line.client().message_rx();
    if line.client().subscribe(CHANNEL).await.is_err() {
        return;
    }
    loop {
        let message = tokio::select! {
            message = messages.recv() => message,
            () = line.end().wait() => return,
        };
        match message {
            Ok(message) => {
                let Some(inner) = lane.upgrade() else { return };
                if let Some(master) = new_master(&message, service) {
                    Lane(inner).moved_to(&master);
                }
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// `<service> <old host> <old port> <new host> <new port>`
fn new_master(message: &Message, service: &str) -> Option<ServerConfig> {
    let text = message.value.as_string()?;
    let words: Vec<&str> = text.rsplitn(5, ' ').collect();
    let [port, host, _, _, name] = words[..] else {
        return None;
    };
    (name == service).then_some(())?;
    Some(ServerConfig::new_centralized(host, port.parse().ok()?))
}
