//! Keeps an eye on who the master is.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, StreamExt};
use semafence::BackendError;
use tokio::time::{Instant, sleep_until};

use crate::watchers::{Master, Watchers};

/// The longest pause after a question that no sentinel answered: who is cut off from all of them misses announcements, and
/// shall not take long to hear of it afterwards.
const UNANSWERED_PAUSE: Duration = Duration::from_secs(1);

/// Asks the sentinels when one of them announces a new master, and every now and then, since an announcement may be lost.
pub(crate) struct Lookout {
    watchers: Arc<Watchers>,
    announcements: BoxStream<'static, ()>,
    ask_at: Instant,
}

impl Lookout {
    /// Asks at the first call of [`next`](Self::next).
    pub(crate) fn new(watchers: Arc<Watchers>) -> Self {
        Self {
            announcements: watchers.announcements(),
            watchers,
            ask_at: Instant::now(),
        }
    }

    /// What they say at the next announcement, or after a pause. Dropping the future forgets nothing but a pause.
    pub(crate) async fn next(&mut self, pause: Duration) -> Result<Master, BackendError> {
        loop {
            tokio::select! {
                biased;
                Some(()) = self.announcements.next() => self.ask_at = Instant::now(),
                said = ask(&self.watchers, self.ask_at) => {
                    let pause = if said.is_ok() { pause } else { pause.min(UNANSWERED_PAUSE) };
                    self.ask_at = Instant::now() + pause;
                    return said;
                }
            }
        }
    }
}

async fn ask(watchers: &Watchers, at: Instant) -> Result<Master, BackendError> {
    sleep_until(at).await;
    watchers.master().await
}

impl fmt::Debug for Lookout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookout")
            .field("watchers", &self.watchers)
            .finish_non_exhaustive()
    }
}
