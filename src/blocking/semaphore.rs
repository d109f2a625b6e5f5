//! A counting semaphore for threads.

use std::future::Future;
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

    /// How many permits are free at this moment, by the backend's clock. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`available_permits`](semaphore::Semaphore::available_permits).
    #[track_caller]
    pub fn available_permits(&self) -> Result<u32, Error> {
        self.ask(|semaphore| async move { semaphore.available_permits().await })
    }

    /// The limit in force for this handle: the one that was stored, else its own. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`limit`](semaphore::Semaphore::limit).
    #[track_caller]
    pub fn limit(&self) -> Result<u32, Error> {
        self.ask(|semaphore| async move { semaphore.limit().await })
    }

    /// Stores a limit that wins over every program's own, or clears it with `None`; answers with the one before.
    ///
    /// # Errors
    ///
    /// As [`resize`](semaphore::Semaphore::resize).
    #[track_caller]
    pub fn resize(&self, limit: Option<u32>) -> Result<Option<u32>, Error> {
        self.ask(move |semaphore| async move { semaphore.resize(limit).await })
    }

    /// Adds `permits` to the limit in force, for all programs, and answers with what that is now.
    ///
    /// # Errors
    ///
    /// As [`add_permits`](semaphore::Semaphore::add_permits): after one with an unknown outcome look at
    /// [`limit`](Self::limit) first.
    #[track_caller]
    pub fn add_permits(&self, permits: u32) -> Result<u32, Error> {
        self.ask(move |semaphore| async move { semaphore.add_permits(permits).await })
    }

    /// Gives back `permits` of those that this client has acquired and [forgotten](Permit::forget), the oldest first.
    ///
    /// # Errors
    ///
    /// As [`release_many`](semaphore::Semaphore::release_many).
    #[track_caller]
    pub fn release_many(&self, permits: u32) -> Result<(), Error> {
        self.ask(move |semaphore| async move { semaphore.release_many(permits).await })
    }

    /// Who holds and who waits. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`status`](semaphore::Semaphore::status).
    #[track_caller]
    pub fn status(&self) -> Result<Status, Error> {
        self.ask(|semaphore| async move { semaphore.status().await })
    }

    #[track_caller]
    fn ask<T, F>(&self, call: impl FnOnce(semaphore::Semaphore<B, C>) -> F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        wait(self.0.client().core().runtime()?, call(self.0.clone()))
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
