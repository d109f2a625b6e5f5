//! A counting semaphore: at most `limit` permits at once, across machines.

mod builder;
mod counting;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use builder::SemaphoreBuilder;

use crate::acquisition::{Acquisition, Terms};
use crate::backend::LockBackend;
use crate::blocking::wait;
use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::error::Error;
use crate::name::Name;
use crate::permit::{OwnedPermit, Permit};
use crate::status::Status;

/// At most `limit` permits at once, across machines. Cheap to clone.
///
/// Each acquisition is its own holder: three tasks that share one handle of a limit of one are let in one after
/// another. Names follow [`tokio::sync::Semaphore`].
pub struct Semaphore<B, C = SystemClock> {
    client: Client<B, C>,
    terms: Arc<Terms>,
}

impl<B, C> Clone for Semaphore<B, C> {
    fn clone(&self) -> Self {
        Self {
            client: self.client.clone(),
            terms: Arc::clone(&self.terms),
        }
    }
}

impl<B: LockBackend, C: Clock> Semaphore<B, C> {
    /// Takes a permit if one is free and nobody is queued before; never waits for one.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when the backend fails, [`Error::Closed`] after the client was closed.
    ///
    /// # Cancel safety
    ///
    /// What may have been taken is given back in the background.
    pub async fn try_acquire(&self) -> Result<Option<Permit<'_>>, Error> {
        self.try_acquire_many(1).await
    }

    /// Takes `permits` at once, all or none, if they are free and nobody is queued before.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `permits` outside 1–limit, and as [`try_acquire`](Self::try_acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub async fn try_acquire_many(&self, permits: u32) -> Result<Option<Permit<'_>>, Error> {
        let held = Acquisition::new(&self.terms, permits)?.attempt().await?;
        Ok(held.map(Permit::new))
    }

    /// Waits for a permit, for as long as [`Config::acquire_timeout`] says.
    ///
    /// A backend that is away is waited for as well: transient failures are retried until the timeout.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] when the timeout passed while all permits were taken; [`Error::Backend`] when it passed
    /// while the backend was failing, or at once when trying again cannot help; [`Error::QueueFull`],
    /// [`Error::Removed`], [`Error::Closed`].
    ///
    /// # Cancel safety
    ///
    /// The place in the queue is lost; what may have been taken is given back in the background.
    pub async fn acquire(&self) -> Result<Permit<'_>, Error> {
        self.acquire_many(1).await
    }

    /// Waits for `permits` at once, all or none. Strict order holds for them too: smaller requests behind this one do
    /// not pass it.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `permits` outside 1–limit, and as [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_many(&self, permits: u32) -> Result<Permit<'_>, Error> {
        self.acquire_within(permits, self.terms.config.acquire_timeout).await
    }

    /// Waits for a permit for at most `timeout`, on the local clock.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_timeout(&self, timeout: Duration) -> Result<Permit<'_>, Error> {
        self.acquire_many_timeout(1, timeout).await
    }

    /// Waits for `permits` at once, all or none, for at most `timeout`, on the local clock.
    ///
    /// # Errors
    ///
    /// As [`acquire_many`](Self::acquire_many).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_many_timeout(&self, permits: u32, timeout: Duration) -> Result<Permit<'_>, Error> {
        self.acquire_within(permits, Some(timeout)).await
    }

    /// Waits for a permit that does not borrow this handle.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`acquire`](Self::acquire).
    pub async fn acquire_owned(&self) -> Result<OwnedPermit, Error> {
        Ok(self.acquire().await?.into_owned())
    }

    /// Takes a permit that does not borrow this handle, if one is free.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire).
    ///
    /// # Cancel safety
    ///
    /// As [`try_acquire`](Self::try_acquire).
    pub async fn try_acquire_owned(&self) -> Result<Option<OwnedPermit>, Error> {
        Ok(self.try_acquire().await?.map(Permit::into_owned))
    }

    /// As [`acquire`](Self::acquire), for a thread that runs no async code. [`blocking`](crate::blocking) has the whole
    /// API for threads.
    ///
    /// # Errors
    ///
    /// As [`acquire`](Self::acquire), and [`Error::Config`] with field `keeper` when the client's keeper runs as a task.
    ///
    /// # Panics
    ///
    /// In a thread that is driving async tasks, before anything is sent.
    #[track_caller]
    pub fn blocking_acquire(&self) -> Result<OwnedPermit, Error> {
        self.blocking_acquire_many(1)
    }

    /// As [`acquire_many`](Self::acquire_many), for a thread that runs no async code.
    ///
    /// # Errors
    ///
    /// As [`acquire_many`](Self::acquire_many) and [`blocking_acquire`](Self::blocking_acquire).
    ///
    /// # Panics
    ///
    /// As [`blocking_acquire`](Self::blocking_acquire).
    #[track_caller]
    pub fn blocking_acquire_many(&self, permits: u32) -> Result<OwnedPermit, Error> {
        self.blocking_acquire_within(permits, self.terms.config.acquire_timeout)
    }

    /// As [`acquire_timeout`](Self::acquire_timeout), for a thread that runs no async code.
    ///
    /// # Errors
    ///
    /// As [`blocking_acquire`](Self::blocking_acquire).
    ///
    /// # Panics
    ///
    /// As [`blocking_acquire`](Self::blocking_acquire).
    #[track_caller]
    pub fn blocking_acquire_timeout(&self, timeout: Duration) -> Result<OwnedPermit, Error> {
        self.blocking_acquire_many_timeout(1, timeout)
    }

    /// As [`acquire_many_timeout`](Self::acquire_many_timeout), for a thread that runs no async code.
    ///
    /// # Errors
    ///
    /// As [`blocking_acquire_many`](Self::blocking_acquire_many).
    ///
    /// # Panics
    ///
    /// As [`blocking_acquire`](Self::blocking_acquire).
    #[track_caller]
    pub fn blocking_acquire_many_timeout(&self, permits: u32, timeout: Duration) -> Result<OwnedPermit, Error> {
        self.blocking_acquire_within(permits, Some(timeout))
    }

    /// As [`try_acquire`](Self::try_acquire), for a thread that runs no async code.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](Self::try_acquire), and [`Error::Config`] as [`blocking_acquire`](Self::blocking_acquire).
    ///
    /// # Panics
    ///
    /// As [`blocking_acquire`](Self::blocking_acquire).
    #[track_caller]
    pub fn blocking_try_acquire(&self) -> Result<Option<OwnedPermit>, Error> {
        self.blocking_try_acquire_many(1)
    }

    /// As [`try_acquire_many`](Self::try_acquire_many), for a thread that runs no async code.
    ///
    /// # Errors
    ///
    /// As [`try_acquire_many`](Self::try_acquire_many), and [`Error::Config`] as
    /// [`blocking_acquire`](Self::blocking_acquire).
    ///
    /// # Panics
    ///
    /// As [`blocking_acquire`](Self::blocking_acquire).
    #[track_caller]
    pub fn blocking_try_acquire_many(&self, permits: u32) -> Result<Option<OwnedPermit>, Error> {
        let terms = Arc::clone(&self.terms);
        wait(self.terms.core.runtime()?, async move {
            let held = Acquisition::new(&terms, permits)?.attempt().await?;
            Ok(held.map(Permit::new))
        })
    }

    /// Who holds and who waits. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when it cannot be read, [`Error::Closed`] after the client was closed.
    pub async fn status(&self) -> Result<Status, Error> {
        self.terms.core.status(self.name()).await
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.terms.name
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.terms.config
    }

    /// The client that made it.
    #[must_use]
    pub fn client(&self) -> &Client<B, C> {
        &self.client
    }

    async fn acquire_within(&self, permits: u32, timeout: Option<Duration>) -> Result<Permit<'_>, Error> {
        let held = self.terms.acquire(permits, timeout).await?;
        Ok(Permit::new(held))
    }

    #[track_caller]
    fn blocking_acquire_within(&self, permits: u32, timeout: Option<Duration>) -> Result<OwnedPermit, Error> {
        let terms = Arc::clone(&self.terms);
        wait(self.terms.core.runtime()?, async move {
            let held = terms.acquire(permits, timeout).await?;
            Ok(Permit::new(held))
        })
    }
}

impl<B, C> fmt::Debug for Semaphore<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Semaphore")
            .field("config", &self.terms.config)
            .finish_non_exhaustive()
    }
}
