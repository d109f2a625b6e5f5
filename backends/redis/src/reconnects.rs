//! When a lost connection is there again.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use semafence::Reconnect;
use tokio::time::{Instant, sleep, timeout};

use crate::lane::Lane;
use crate::link::Link;
use crate::pause::{self, Pace};

/// The first connection is left to the verbs for so long: whoever holds a permit for a moment needs none.
const FIRST_AFTER: Duration = Duration::from_secs(1);
/// A connection that was lost sooner than this is not made anew without a pause.
const SHORT_LIVED: Duration = Duration::from_secs(1);

/// An item for each connection of a lane but the first; makes them by itself.
pub(crate) fn reconnects(lane: Lane) -> BoxStream<'static, Reconnect> {
    stream::unfold((lane, None), |(lane, last)| async move {
        let last = match last {
            Some(link) => link,
            None => first(&lane).await,
        };
        let next = replace(&lane, &last).await;
        Some((next.server().after(last.server()), (lane, Some(next))))
    })
    .boxed()
}

async fn first(lane: &Lane) -> Arc<Link> {
    match timeout(FIRST_AFTER, lane.first_link()).await {
        Ok(link) => link,
        Err(_nobody_needed_one) => connect(lane).await,
    }
}

/// The connection after `last`, once that is lost.
async fn replace(lane: &Lane, last: &Arc<Link>) -> Arc<Link> {
    let began = Instant::now();
    last.closed().await;
    if began.elapsed() < SHORT_LIVED {
        sleep(pause::jittered(pause::MIN)).await;
    }
    connect(lane).await
}

async fn connect(lane: &Lane) -> Arc<Link> {
    let mut pace = Pace::start();
    loop {
        match lane.link().await {
            Ok(link) => return link,
            Err(error) => tracing::debug!(%error, "cannot connect"),
        }
        pace.next().await;
    }
}
