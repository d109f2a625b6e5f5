//! A mutex: a semaphore of one, with the names of a mutex.

use std::time::Duration;

use crate::backend::LockBackend;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::name::Name;
use crate::permit::{OwnedPermit, Permit};
use crate::semaphore::{Semaphore, SemaphoreBuilder};
use crate::setters::setters;
use crate::status::Status;

/// One holder at a time, across machines: a [`Semaphore`] of one. Its only slot is 0.
#[derive(Debug)]
pub struct Mutex<B, C = SystemClock>(Semaphore<B, C>);

impl<B, C> Clone for Mutex<B, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: LockBackend, C: Clock> Mutex<B, C> {
    /// Waits for the lock, for as long as [`Config::acquire_timeout`](crate::Config::acquire_timeout) says.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::acquire`].
    pub async fn lock(&self) -> Result<Permit<'_>, Error> {
        self.0.acquire().await
    }

    /// Takes the lock if it is free and nobody is queued before; never waits for it.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::try_acquire`].
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::try_acquire`].
    pub async fn try_lock(&self) -> Result<Option<Permit<'_>>, Error> {
        self.0.try_acquire().await
    }

    /// Waits for the lock for at most `timeout`, on the local clock.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire_timeout`].
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::acquire`].
    pub async fn lock_timeout(&self, timeout: Duration) -> Result<Permit<'_>, Error> {
        self.0.acquire_timeout(timeout).await
    }

    /// Waits for the lock, and holds it without borrowing this handle.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::acquire`].
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::acquire`].
    pub async fn lock_owned(&self) -> Result<OwnedPermit, Error> {
        self.0.acquire_owned().await
    }

    /// Takes the lock if it is free, and holds it without borrowing this handle.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::try_acquire`].
    ///
    /// # Cancel safety
    ///
    /// As [`Semaphore::try_acquire`].
    pub async fn try_lock_owned(&self) -> Result<Option<OwnedPermit>, Error> {
        self.0.try_acquire_owned().await
    }

    /// As [`lock`](Self::lock), for a thread that runs no async code.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::blocking_acquire`].
    ///
    /// # Panics
    ///
    /// As [`Semaphore::blocking_acquire`].
    #[track_caller]
    pub fn blocking_lock(&self) -> Result<OwnedPermit, Error> {
        self.0.blocking_acquire()
    }

    /// As [`try_lock`](Self::try_lock), for a thread that runs no async code.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::blocking_try_acquire`].
    ///
    /// # Panics
    ///
    /// As [`Semaphore::blocking_acquire`].
    #[track_caller]
    pub fn blocking_try_lock(&self) -> Result<Option<OwnedPermit>, Error> {
        self.0.blocking_try_acquire()
    }

    /// As [`lock_timeout`](Self::lock_timeout), for a thread that runs no async code.
    ///
    /// # Errors
    ///
    /// As [`Semaphore::blocking_acquire`].
    ///
    /// # Panics
    ///
    /// As [`Semaphore::blocking_acquire`].
    #[track_caller]
    pub fn blocking_lock_timeout(&self, timeout: Duration) -> Result<OwnedPermit, Error> {
        self.0.blocking_acquire_timeout(timeout)
    }

    /// Whether anybody holds the lock at this moment, by the backend's clock. Changes nothing. The answer ages:
    /// [`try_lock`](Self::try_lock) is the way to take it only if it is free.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn is_locked(&self) -> Result<bool, Error> {
        Ok(self.0.available_permits().await? == 0)
    }

    /// Who holds and who waits. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when it cannot be read, [`Error::Closed`] after the client was closed.
    pub async fn status(&self) -> Result<Status, Error> {
        self.0.status().await
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Name {
        self.0.name()
    }

    /// The semaphore of one that it is.
    #[must_use]
    pub fn as_semaphore(&self) -> &Semaphore<B, C> {
        &self.0
    }
}

/// Makes a [`Mutex`]; every setter is a field of [`Config`](crate::Config) and documented there.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct MutexBuilder<B, C = SystemClock>(SemaphoreBuilder<B, C>);

setters!(MutexBuilder);

impl<B: LockBackend, C: Clock> MutexBuilder<B, C> {
    pub(crate) fn new(semaphore: SemaphoreBuilder<B, C>) -> Self {
        Self(semaphore)
    }

    /// Checks every field and makes the mutex. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] that names the first field that is out of range.
    pub fn build(self) -> Result<Mutex<B, C>, Error> {
        self.0.build().map(Mutex)
    }
}
