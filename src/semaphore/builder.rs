//! What makes a semaphore.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::acquisition::Terms;
use crate::backend::LockBackend;
use crate::client::Client;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, LeaseTime, Strategy};
use crate::error::Error;
use crate::name::Name;
use crate::semaphore::Semaphore;

/// Makes a [`Semaphore`]; every setter is a field of [`Config`] and documented there.
#[must_use = "a builder does nothing until it is built"]
pub struct SemaphoreBuilder<B, C = SystemClock> {
    client: Client<B, C>,
    config: Config,
}

impl<B: LockBackend, C: Clock> SemaphoreBuilder<B, C> {
    pub(crate) fn new(client: Client<B, C>, config: Config) -> Self {
        Self { client, config }
    }

    /// Sets [`Config::namespace`].
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.config.namespace = Some(namespace.into());
        self
    }

    /// Sets [`Config::ttl`].
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.config.ttl = ttl;
        self
    }

    /// Sets [`Config::acquire_timeout`]; `None` waits for ever.
    pub fn acquire_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.config.acquire_timeout = timeout.into();
        self
    }

    /// Sets [`Config::retry_interval`].
    pub fn retry_interval(mut self, interval: Duration) -> Self {
        self.config.retry_interval = interval;
        self
    }

    /// Sets [`Config::retry_interval_max`].
    pub fn retry_interval_max(mut self, interval: Duration) -> Self {
        self.config.retry_interval_max = Some(interval);
        self
    }

    /// Sets [`Config::retry_multiplier`].
    pub fn retry_multiplier(mut self, multiplier: f64) -> Self {
        self.config.retry_multiplier = multiplier;
        self
    }

    /// Sets [`Config::retry_jitter`].
    pub fn retry_jitter(mut self, jitter: f64) -> Self {
        self.config.retry_jitter = jitter;
        self
    }

    /// Sets [`Config::wakeup_fallback`].
    pub fn wakeup_fallback(mut self, interval: Duration) -> Self {
        self.config.wakeup_fallback = interval;
        self
    }

    /// Sets [`Config::refresh_interval`].
    pub fn refresh_interval(mut self, interval: Duration) -> Self {
        self.config.refresh_interval = Some(interval);
        self
    }

    /// Sets [`Config::refresh_retry_interval`].
    pub fn refresh_retry_interval(mut self, interval: Duration) -> Self {
        self.config.refresh_retry_interval = Some(interval);
        self
    }

    /// Sets [`Config::failover_grace`]; `None` leaves it to the backend.
    pub fn failover_grace(mut self, grace: impl Into<Option<Duration>>) -> Self {
        self.config.failover_grace = grace.into();
        self
    }

    /// Sets [`Config::acks`].
    pub fn acks(mut self, acks: u32) -> Self {
        self.config.acks = acks;
        self
    }

    /// Sets [`Config::acks_timeout`].
    pub fn acks_timeout(mut self, timeout: Duration) -> Self {
        self.config.acks_timeout = Some(timeout);
        self
    }

    /// Sets [`Config::strict`].
    pub fn strict(mut self, strict: bool) -> Self {
        self.config.strict = strict;
        self
    }

    /// Sets [`Config::lease_time`].
    pub fn lease_time(mut self, lease_time: LeaseTime) -> Self {
        self.config.lease_time = lease_time;
        self
    }

    /// Sets [`Config::strategy`].
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.config.strategy = strategy;
        self
    }

    /// Adds a pair to [`Config::meta`].
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.meta.insert(key.into(), value.into());
        self
    }

    /// Checks every field and makes the semaphore. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] that names the first field that is out of range.
    pub fn build(self) -> Result<Semaphore<B, C>, Error> {
        let Self { client, config } = self;
        let namespace = config.namespace.as_deref().unwrap_or_else(|| client.namespace());
        let name = Name::new(namespace, &config.name)?;
        config.check()?;
        let meter = client.core().meters.of(&name, config.limit);
        let terms = Terms {
            core: Arc::clone(client.core()),
            name,
            meta: config.encoded_meta()?.into(),
            meter,
            config,
        };
        Ok(Semaphore {
            client,
            terms: Arc::new(terms),
        })
    }
}

impl<B, C> fmt::Debug for SemaphoreBuilder<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SemaphoreBuilder")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}
