//! A mutex for threads.

use std::time::Duration;

use super::permit::Permit;
use super::wait;
use crate::backend::LockBackend;
use crate::clock::{Clock, SystemClock};
use crate::error::Error;
use crate::mutex;
use crate::name::Name;
use crate::setters::setters;
use crate::status::Status;

/// One holder at a time, across machines: a [`semafence::Mutex`](crate::Mutex) for threads. Cheap to clone.
#[derive(Debug)]
pub struct Mutex<B, C = SystemClock>(mutex::Mutex<B, C>);

impl<B, C> Clone for Mutex<B, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: LockBackend, C: Clock> Mutex<B, C> {
    pub(super) fn new(mutex: mutex::Mutex<B, C>) -> Self {
        Self(mutex)
    }

    /// Waits for the lock, for as long as [`Config::acquire_timeout`](crate::Config::acquire_timeout) says.
    ///
    /// # Errors
    ///
    /// As [`lock`](mutex::Mutex::lock).
    #[track_caller]
    pub fn lock(&self) -> Result<Permit, Error> {
        self.0.blocking_lock().map(Permit::new)
    }

    /// Takes the lock if it is free and nobody is queued before; never waits for it.
    ///
    /// # Errors
    ///
    /// As [`try_lock`](mutex::Mutex::try_lock).
    #[track_caller]
    pub fn try_lock(&self) -> Result<Option<Permit>, Error> {
        Ok(self.0.blocking_try_lock()?.map(Permit::new))
    }

    /// Waits for the lock for at most `timeout`, on the local clock.
    ///
    /// # Errors
    ///
    /// As [`lock_timeout`](mutex::Mutex::lock_timeout).
    #[track_caller]
    pub fn lock_timeout(&self, timeout: Duration) -> Result<Permit, Error> {
        self.0.blocking_lock_timeout(timeout).map(Permit::new)
    }

    /// Whether anybody holds the lock at this moment, by the backend's clock. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`is_locked`](mutex::Mutex::is_locked).
    #[track_caller]
    pub fn is_locked(&self) -> Result<bool, Error> {
        let mutex = self.0.clone();
        wait(self.0.as_semaphore().client().core().runtime()?, async move {
            mutex.is_locked().await
        })
    }

    /// Who holds and who waits. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`status`](mutex::Mutex::status).
    #[track_caller]
    pub fn status(&self) -> Result<Status, Error> {
        let mutex = self.0.clone();
        wait(self.0.as_semaphore().client().core().runtime()?, async move {
            mutex.status().await
        })
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Name {
        self.0.name()
    }

    /// The same mutex for async code.
    #[must_use]
    pub fn as_async(&self) -> &mutex::Mutex<B, C> {
        &self.0
    }
}

/// Makes a [`Mutex`]; every setter is a field of [`Config`](crate::Config) and documented there.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct MutexBuilder<B, C = SystemClock>(mutex::MutexBuilder<B, C>);

setters!(MutexBuilder);

impl<B: LockBackend, C: Clock> MutexBuilder<B, C> {
    pub(super) fn new(mutex: mutex::MutexBuilder<B, C>) -> Self {
        Self(mutex)
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
