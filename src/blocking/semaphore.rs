//! A counting semaphore for threads.

use std::time::Duration;

use super::permit::Permit;
use super::wait;
use crate::backend::LockBackend;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::error::Error;
use crate::name::Name;
use crate::semaphore;
use crate::setters::setters;
use crate::status::Status;

/// At most `limit` permits at once, across machines: a [`semafence::Semaphore`](crate::Semaphore) for threads. Cheap to
/// clone.
#[derive(Debug)]
pub struct Semaphore<B, C = SystemClock>(semaphore::Semaphore<B, C>);

impl<B, C> Clone for Semaphore<B, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: LockBackend, C: Clock> Semaphore<B, C> {
    pub(super) fn new(semaphore: semaphore::Semaphore<B, C>) -> Self {
        Self(semaphore)
    }

    /// Takes a permit if one is free and nobody is queued before; never waits for one.
    ///
    /// # Errors
    ///
    /// As [`try_acquire`](semaphore::Semaphore::try_acquire).
    #[track_caller]
    pub fn try_acquire(&self) -> Result<Option<Permit>, Error> {
        self.try_acquire_many(1)
    }

    /// Takes `permits` at once, all or none, if they are free and nobody is queued before.
    ///
    /// # Errors
    ///
    /// As [`try_acquire_many`](semaphore::Semaphore::try_acquire_many).
    #[track_caller]
    pub fn try_acquire_many(&self, permits: u32) -> Result<Option<Permit>, Error> {
        Ok(self.0.blocking_try_acquire_many(permits)?.map(Permit::new))
    }

    /// Waits for a permit, for as long as [`Config::acquire_timeout`] says.
    ///
    /// # Errors
    ///
    /// As [`acquire`](semaphore::Semaphore::acquire).
    #[track_caller]
    pub fn acquire(&self) -> Result<Permit, Error> {
        self.acquire_many(1)
    }

    /// Waits for `permits` at once, all or none, in strict order.
    ///
    /// # Errors
    ///
    /// As [`acquire_many`](semaphore::Semaphore::acquire_many).
    #[track_caller]
    pub fn acquire_many(&self, permits: u32) -> Result<Permit, Error> {
        self.0.blocking_acquire_many(permits).map(Permit::new)
    }

    /// Waits for a permit for at most `timeout`, on the local clock.
    ///
    /// # Errors
    ///
    /// As [`acquire`](semaphore::Semaphore::acquire).
    #[track_caller]
    pub fn acquire_timeout(&self, timeout: Duration) -> Result<Permit, Error> {
        self.acquire_many_timeout(1, timeout)
    }

    /// Waits for `permits` at once, all or none, for at most `timeout`, on the local clock.
    ///
    /// # Errors
    ///
    /// As [`acquire_many`](semaphore::Semaphore::acquire_many).
    #[track_caller]
    pub fn acquire_many_timeout(&self, permits: u32, timeout: Duration) -> Result<Permit, Error> {
        self.0.blocking_acquire_many_timeout(permits, timeout).map(Permit::new)
    }

    /// Who holds and who waits. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when it cannot be read.
    #[track_caller]
    pub fn status(&self) -> Result<Status, Error> {
        let semaphore = self.0.clone();
        wait(
            self.0.client().core().runtime()?,
            async move { semaphore.status().await },
        )
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &Name {
        self.0.name()
    }

    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &Config {
        self.0.config()
    }

    /// The same semaphore for async code.
    #[must_use]
    pub fn as_async(&self) -> &semaphore::Semaphore<B, C> {
        &self.0
    }
}

/// Makes a [`Semaphore`]; every setter is a field of [`Config`] and documented there.
#[derive(Debug)]
#[must_use = "a builder does nothing until it is built"]
pub struct SemaphoreBuilder<B, C = SystemClock>(semaphore::SemaphoreBuilder<B, C>);

setters!(SemaphoreBuilder);

impl<B: LockBackend, C: Clock> SemaphoreBuilder<B, C> {
    pub(super) fn new(semaphore: semaphore::SemaphoreBuilder<B, C>) -> Self {
        Self(semaphore)
    }

    /// Checks every field and makes the semaphore. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] that names the first field that is out of range.
    pub fn build(self) -> Result<Semaphore<B, C>, Error> {
        self.0.build().map(Semaphore)
    }
}
