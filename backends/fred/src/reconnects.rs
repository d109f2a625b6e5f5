//! When a lost connection is there again.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::{self, BoxStream};
use semafence::Reconnect;
use tokio::time::sleep;

use crate::lane::Lane;
use crate::pause::{RECONNECT, jittered};

/// The first connection is left to the verbs for so long: whoever holds a permit for a moment needs none.
const FIRST_AFTER: Duration = Duration::from_secs(1);

/// An item for each connection of a lane but the first, if verbs do not make that one.
pub(crate) fn reconnects(lane: Lane) -> BoxStream<'static, Reconnect> {
    let returns = lane.returns();
    let known = returns.borrow().to_another;
    let later = stream::unfold((returns, known), |(mut returns, known)| async move {
        returns.changed().await.ok()?;
        let others = returns.borrow_and_update().to_another;
        let reconnect = if others == known {
            Reconnect::Same
        } else {
            Reconnect::Another
        };
        Some((reconnect, (returns, others)))
    });
    stream::once(first(lane))
        .filter_map(|()| async { None })
        .chain(later)
        .chain(stream::pending())
        .boxed()
}

async fn first(lane: Lane) {
    sleep(FIRST_AFTER).await;
    while let Err(error) = lane.link().await {
        tracing::debug!(%error, "cannot connect");
        sleep(jittered(RECONNECT)).await;
    }
}
