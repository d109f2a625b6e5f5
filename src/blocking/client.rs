//! A client for threads: makes semaphores and mutexes that block.

use std::future::Future;

use super::mutex::{Mutex, MutexBuilder};
use super::semaphore::{Semaphore, SemaphoreBuilder};
use super::wait;
use crate::backend::{LockBackend, Standing};
use crate::client;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::config::Config;
use crate::error::Error;
use crate::holder::HolderId;
use crate::name::Name;
use crate::status::Status;

/// A [`semafence::Client`](crate::Client) for threads. Cheap to clone: clones are one client.
///
/// For anything but defaults build the async one, and ask it for [`blocking`](crate::Client::blocking).
#[derive(Debug)]
pub struct Client<B, C = SystemClock>(client::Client<B, C>);

impl<B, C> Clone for Client<B, C> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<B: LockBackend> Client<B> {
    /// A client of this backend with the system's clock and all defaults. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `keeper` when its thread cannot be started.
    pub fn new(backend: B) -> Result<Self, Error> {
        Self::of(client::Client::new(backend)?)
    }
}

impl<B: LockBackend, C: Clock> Client<B, C> {
    pub(crate) fn of(client: client::Client<B, C>) -> Result<Self, Error> {
        client.core().runtime()?;
        Ok(Self(client))
    }

    /// Starts a semaphore of `limit` permits.
    pub fn semaphore(&self, name: impl Into<String>, limit: u32) -> SemaphoreBuilder<B, C> {
        SemaphoreBuilder::new(self.0.semaphore(name, limit))
    }

    /// Starts a mutex: a semaphore of one.
    pub fn mutex(&self, name: impl Into<String>) -> MutexBuilder<B, C> {
        MutexBuilder::new(self.0.mutex(name))
    }

    /// A semaphore as configured elsewhere, for example read from a file.
    ///
    /// # Errors
    ///
    /// As [`semaphore_from`](client::Client::semaphore_from).
    pub fn semaphore_from(&self, config: Config) -> Result<Semaphore<B, C>, Error> {
        self.0.semaphore_from(config).map(Semaphore::new)
    }

    /// A mutex as configured elsewhere.
    ///
    /// # Errors
    ///
    /// As [`mutex_from`](client::Client::mutex_from).
    pub fn mutex_from(&self, config: Config) -> Result<Mutex<B, C>, Error> {
        self.0.mutex_from(config).map(Mutex::new)
    }

    /// The backend's clock.
    ///
    /// # Errors
    ///
    /// As [`time`](client::Client::time).
    #[track_caller]
    pub fn time(&self) -> Result<Timestamp, Error> {
        let client = self.0.clone();
        self.wait_for(async move { client.time().await })
    }

    /// Who holds and who waits for `name` in this client's namespace. Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`status`](client::Client::status).
    #[track_caller]
    pub fn status(&self, name: &str) -> Result<Status, Error> {
        let (client, name) = (self.0.clone(), name.to_owned());
        self.wait_for(async move { client.status(&name).await })
    }

    /// The names in this client's namespace that are in use or were within the last hour.
    ///
    /// # Errors
    ///
    /// As [`names`](client::Client::names).
    #[track_caller]
    pub fn names(&self) -> Result<Vec<Name>, Error> {
        let client = self.0.clone();
        self.wait_for(async move { client.names().await })
    }

    /// Takes the permit of `holder` away, or removes it from the queue, and serves whoever waits.
    ///
    /// # Errors
    ///
    /// As [`force_release`](client::Client::force_release).
    #[track_caller]
    pub fn force_release(&self, name: &str, holder: HolderId) -> Result<Standing, Error> {
        let (client, name) = (self.0.clone(), name.to_owned());
        self.wait_for(async move { client.force_release(&name, holder).await })
    }

    /// Stores a limit that wins over every program's own, or clears it with `None`; answers with the one before.
    ///
    /// # Errors
    ///
    /// As [`resize`](client::Client::resize).
    #[track_caller]
    pub fn resize(&self, name: &str, limit: Option<u32>) -> Result<Option<u32>, Error> {
        let (client, name) = (self.0.clone(), name.to_owned());
        self.wait_for(async move { client.resize(&name, limit).await })
    }

    /// Gives everything back, and waits until that has arrived: see [`close`](client::Client::close).
    #[track_caller]
    pub fn close(&self) -> client::Closed {
        let client = self.0.clone();
        self.wait_for(async move { client.close().await })
    }

    /// Carries out any other call of the async API, or several, on the keeper's thread, while this thread waits. What runs
    /// there must not block: refreshes wait behind it.
    #[track_caller]
    pub fn wait_for<T: Send + 'static>(&self, call: impl Future<Output = T> + Send + 'static) -> T {
        let runtime = self.0.core().runtime().expect("it was there when this client was made");
        wait(runtime, call)
    }

    /// The same client for async code.
    #[must_use]
    pub fn as_async(&self) -> &client::Client<B, C> {
        &self.0
    }
}
