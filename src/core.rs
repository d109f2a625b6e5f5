//! What a client, its semaphores and their permits share.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::commands::Commands;
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
    pub(crate) waiters: Waiters,
    pub(crate) meters: Arc<Meters>,
    pub(crate) random: Random,
    pub(crate) inbox: Inbox,
    pub(crate) namespace: String,
    pub(crate) closed: CancellationToken,
}
