//! A mutex: a semaphore of one, with the names of a mutex.

use std::time::Duration;

use crate::backend::LockBackend;
use crate::clock::{Clock, SystemClock};
use crate::config::{LeaseTime, Strategy};
use crate::error::Error;
use crate::name::Name;
use crate::permit::{OwnedPermit, Permit};
use crate::semaphore::{Semaphore, SemaphoreBuilder};
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

    /// Who holds and who waits. Changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when it cannot be read.
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

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),+);)+) => {
        impl<B: LockBackend, C: Clock> MutexBuilder<B, C> {
            $($(#[$doc])* pub fn $name(self, $($arg: $type),+) -> Self { Self(self.0.$name($($arg),+)) })+
        }
    };
}

setters! {
    /// Sets [`Config::namespace`](crate::Config::namespace).
    namespace(namespace: impl Into<String>);
    /// Sets [`Config::ttl`](crate::Config::ttl).
    ttl(ttl: Duration);
    /// Sets [`Config::acquire_timeout`](crate::Config::acquire_timeout); `None` waits for ever.
    acquire_timeout(timeout: impl Into<Option<Duration>>);
    /// Sets [`Config::retry_interval`](crate::Config::retry_interval).
    retry_interval(interval: Duration);
    /// Sets [`Config::retry_interval_max`](crate::Config::retry_interval_max).
    retry_interval_max(interval: Duration);
    /// Sets [`Config::retry_multiplier`](crate::Config::retry_multiplier).
    retry_multiplier(multiplier: f64);
    /// Sets [`Config::retry_jitter`](crate::Config::retry_jitter).
    retry_jitter(jitter: f64);
    /// Sets [`Config::wakeup_fallback`](crate::Config::wakeup_fallback).
    wakeup_fallback(interval: Duration);
    /// Sets [`Config::refresh_interval`](crate::Config::refresh_interval).
    refresh_interval(interval: Duration);
    /// Sets [`Config::refresh_retry_interval`](crate::Config::refresh_retry_interval).
    refresh_retry_interval(interval: Duration);
    /// Sets [`Config::strict`](crate::Config::strict).
    strict(strict: bool);
    /// Sets [`Config::lease_time`](crate::Config::lease_time).
    lease_time(lease_time: LeaseTime);
    /// Sets [`Config::strategy`](crate::Config::strategy).
    strategy(strategy: Strategy);
    /// Adds a pair to [`Config::meta`](crate::Config::meta).
    meta(key: impl Into<String>, value: impl Into<String>);
}

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
