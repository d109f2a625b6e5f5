//! Where a request gets its permit: a handle for its key, and the way it waits.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use semafence::{Client, Clock, Config, Error, LockBackend, OwnedPermit, Permit, Semaphore};

use crate::key::Key;
use crate::recent::Recent;
use crate::rejection::Rejection;

/// A request on its way to a permit. Dropped, it leaves nothing behind.
pub(crate) type Entering = Pin<Box<dyn Future<Output = Result<OwnedPermit, Rejection>> + Send>>;

/// Gives permits by key. Its backend and clock are known to nobody else, so that the layer has no type parameter.
pub(crate) trait Door: fmt::Debug + Send + Sync {
    fn enter(&self, key: Key) -> Entering;
}

/// Semaphores of one client, which differ in name and limit only.
pub(crate) struct Doors<B, C> {
    pub(crate) client: Client<B, C>,
    /// What all have in common. Its limit is that of keys without one.
    pub(crate) template: Config,
    pub(crate) wait: Duration,
    pub(crate) handles: Mutex<Recent<Semaphore<B, C>>>,
}

impl<B: LockBackend, C: Clock> Door for Doors<B, C> {
    fn enter(&self, key: Key) -> Entering {
        let (permits, wait) = (key.permits, self.wait);
        match self.handle(key) {
            Ok(semaphore) => Box::pin(acquire(semaphore, permits, wait)),
            Err(error) => Box::pin(async { Err(error.into()) }),
        }
    }
}

impl<B: LockBackend, C: Clock> Doors<B, C> {
    /// The handle of this name and limit, made anew if there was none or it had another limit. Sends nothing.
    fn handle(&self, key: Key) -> Result<Semaphore<B, C>, Error> {
        let limit = key.limit.unwrap_or(self.template.limit);
        let mut handles = self.handles.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(handle) = handles.get(key.name()).filter(|handle| handle.config().limit == limit) {
            return Ok(handle);
        }
        let mut config = self.template.clone();
        key.name().clone_into(&mut config.name);
        config.limit = limit;
        let handle = self.client.semaphore_from(config)?;
        handles.insert(key.name().to_owned(), handle.clone());
        Ok(handle)
    }
}

/// Asks once without waiting: a timed acquire waits for a backend that is away, and a client should hear of that at
/// once.
async fn acquire<B, C>(semaphore: Semaphore<B, C>, permits: u32, wait: Duration) -> Result<OwnedPermit, Rejection>
where
    B: LockBackend,
    C: Clock,
{
    if let Some(permit) = semaphore.try_acquire_many(permits).await? {
        return Ok(permit.into_owned());
    }
    if wait.is_zero() {
        return Err(Rejection::Busy {
            name: semaphore.name().clone(),
        });
    }
    let permit = semaphore.acquire_many_timeout(permits, wait).await;
    Ok(permit.map(Permit::into_owned)?)
}

impl<B, C> fmt::Debug for Doors<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Doors")
            .field("template", &self.template)
            .field("wait", &self.wait)
            .finish_non_exhaustive()
    }
}
