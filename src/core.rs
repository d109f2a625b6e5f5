//! What a client, its semaphores and their permits share.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::commands::Commands;
use crate::error::Error;
use crate::forgotten::Forgotten;
use crate::holder::Inbox;
use crate::keeper::Keeper;
use crate::meter::Meters;
use crate::random::Random;
use crate::waiters::Waiters;

/// A client without its type parameters: one copy of the logic for all of them.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) backend: Commands,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) forgotten: Forgotten,
    pub(crate) waiters: Waiters,
    pub(crate) meters: Arc<Meters>,
    pub(crate) random: Random,
    pub(crate) inbox: Inbox,
    pub(crate) namespace: String,
    pub(crate) closed: CancellationToken,
}

impl Core {
    /// The runtime on which calls are carried out for threads that wait.
    pub(crate) fn runtime(&self) -> Result<&Handle, Error> {
        let runtime = self.keeper.runtime();
        runtime.ok_or_else(|| Error::config("keeper", "runs as a task, and so no thread can wait for it"))
    }
}
