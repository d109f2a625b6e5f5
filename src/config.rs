//! What a semaphore is asked to be, checked before anything is sent.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::backend::operation_timeout;
use crate::error::Error;
use crate::name::encode;

pub(crate) const LIMIT: RangeInclusive<u32> = 1..=65_536;
const TTL: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(24 * 3600);
const RETRY: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);
const FALLBACK: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(3600);
const REFRESH_MIN: Duration = Duration::from_millis(10);
const MULTIPLIER: RangeInclusive<f64> = 1.0..=100.0;
const ACKS_MAX: u32 = 100;
const META_BYTES_MAX: usize = 1024;

/// How to wait for a permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "lowercase")
)]
pub enum Strategy {
    /// First come, first served across processes: a release hands the permit to the first waiter.
    #[default]
    Queue,
    /// A release wakes one waiter per free slot, which tries again; newcomers may be faster.
    Notify,
    /// Tries again and again, with exponential back-off and jitter; for servers without pub/sub.
    Poll,
}

/// Whose clock decides when a lease is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(rename_all = "lowercase")
)]
pub enum LeaseTime {
    /// The backend's, read inside each verb.
    #[default]
    Server,
    /// The caller's wall clock. Exclusion then depends on the clocks of all clients: two that are further apart than
    /// a lease is long can hold one slot at once.
    Client,
    /// The backend's, without its steps: lease time goes on by what the clock has gone on since the name was last looked
    /// at, but never back, and never by more than a quarter of the ttl at once. A clock that is stepped, or the other clock
    /// of a server that took over, ends no lease early and keeps none for long: so long as it happens once per ttl. The
    /// price: a lease that nobody keeps lasts a quarter longer, and where nobody waits or tries meanwhile up to one ttl
    /// longer from the next try on; and each verb writes twice. Once a program asks for it, it holds for all programs of the
    /// name, until that was out of use for an hour.
    Stepless,
}

/// What a semaphore is asked to be. Every field is checked when the semaphore is built.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use semafence::{Config, Strategy};
///
/// let config = Config {
///     ttl: Duration::from_secs(15),
///     strategy: Strategy::Poll,
///     ..Config::new("printers", 3)
/// };
/// assert!(config.check().is_ok());
/// assert_eq!(Config::new("printers", 0).check().unwrap_err().to_string(), "limit is 0, not within 1 to 65536");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Deserialize, serde::Serialize),
    serde(deny_unknown_fields)
)]
pub struct Config {
    /// Name of the semaphore, 1–200 bytes.
    pub name: String,
    /// How many permits it has, 1–65,536. Default when read as data: 1, a mutex.
    #[cfg_attr(feature = "serde", serde(default = "one"))]
    pub limit: u32,
    /// Keeps applications apart, 1–64 bytes. Default: the client's.
    #[cfg_attr(feature = "serde", serde(default))]
    pub namespace: Option<String>,
    /// How long a lease lasts without refresh, on the backend's clock; 100 ms–24 h in whole milliseconds. Default: 30 s.
    #[cfg_attr(feature = "serde", serde(default = "ttl", with = "crate::duration"))]
    pub ttl: Duration,
    /// How long `acquire` waits, on the local clock. Default: for ever.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::duration::option"))]
    pub acquire_timeout: Option<Duration>,
    /// First pause between attempts when polling, or after a transient error from the begin of the attempt that failed;
    /// 1 ms–1 h. Default: 100 ms.
    #[cfg_attr(feature = "serde", serde(default = "retry_interval", with = "crate::duration"))]
    pub retry_interval: Duration,
    /// Longest pause between attempts, at least `retry_interval`, at most 1 h. Default: ten times `retry_interval`.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::duration::option"))]
    pub retry_interval_max: Option<Duration>,
    /// By how much each pause is longer than the one before; 1–100. Default: 2.
    #[cfg_attr(feature = "serde", serde(default = "retry_multiplier"))]
    pub retry_multiplier: f64,
    /// By which part a pause varies in both directions; 0–1. Default: 0.1.
    #[cfg_attr(feature = "serde", serde(default = "retry_jitter"))]
    pub retry_jitter: f64,
    /// How long a waiter relies on wake-ups before it looks for itself; 100 ms–1 h. With [`Strategy::Queue`] it looks at
    /// least every claim window (2 s, or the ttl where that is shorter), one look per process and name. Default: 5 s.
    #[cfg_attr(feature = "serde", serde(default = "wakeup_fallback", with = "crate::duration"))]
    pub wakeup_fallback: Duration,
    /// Time between refreshes of a lease; 10 ms to nine tenths of the ttl. Default: a third of the ttl.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::duration::option"))]
    pub refresh_interval: Option<Duration>,
    /// Time from a refresh that fails to the next, which comes at once if failing took longer; 1 ms to the ttl. Default: a
    /// thirtieth of the ttl, but 100 ms–1 s and at most half of `refresh_interval`.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::duration::option"))]
    pub refresh_retry_interval: Option<Duration>,
    /// For how long nothing is granted after a server took over that may have forgotten leases: a replica that was
    /// promoted, a server that lost its data, or one that is used for the first time. Whoever holds by then goes on, and
    /// what was forgotten is taken in again when it is refreshed, so that no more than `limit` hold across a failover
    /// that loses writes. On the server's clock; zero for no such time, or the ttl to 24 h in whole milliseconds: the
    /// longest ttl with which any program uses this name. All programs of a name should agree. Default: the ttl where the
    /// backend can fail over, zero on a single server.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::duration::option"))]
    pub failover_grace: Option<Duration>,
    /// How many replicas must have a grant before it counts: with one, a failover to that replica forgets none of the
    /// grants that were returned. It does not help where another replica is promoted, and a refresh waits for none. 0–100;
    /// default: 0, grants wait for no replica.
    #[cfg_attr(feature = "serde", serde(default))]
    pub acks: u32,
    /// How long a grant waits for them, on the local clock, before it is given back and the acquire fails with
    /// [`Error::Unacknowledged`]; 1 ms to half of the ttl. Default: a sixth of the ttl, at most 2 s.
    #[cfg_attr(feature = "serde", serde(default, with = "crate::duration::option"))]
    pub acks_timeout: Option<Duration>,
    /// Whether `release` and `refresh` of a permit that was lost are errors. Default: no, they say where it stands.
    #[cfg_attr(feature = "serde", serde(default))]
    pub strict: bool,
    /// Whose clock decides when a lease is over. Default: the server's.
    #[cfg_attr(feature = "serde", serde(default))]
    pub lease_time: LeaseTime,
    /// How to wait. Default: [`Strategy::Queue`].
    #[cfg_attr(feature = "serde", serde(default))]
    pub strategy: Strategy,
    /// What operators see of the holder, for example host and process; at most 1 KiB in all. Default: nothing.
    #[cfg_attr(feature = "serde", serde(default))]
    pub meta: BTreeMap<String, String>,
}

const fn ttl() -> Duration {
    Duration::from_secs(30)
}

const fn retry_interval() -> Duration {
    Duration::from_millis(100)
}

const fn retry_multiplier() -> f64 {
    2.0
}

const fn retry_jitter() -> f64 {
    0.1
}

const fn wakeup_fallback() -> Duration {
    Duration::from_secs(5)
}

#[cfg(feature = "serde")]
const fn one() -> u32 {
    1
}

impl Config {
    /// The defaults, for a name and a limit.
    pub fn new(name: impl Into<String>, limit: u32) -> Self {
        Self {
            name: name.into(),
            limit,
            namespace: None,
            ttl: ttl(),
            acquire_timeout: None,
            retry_interval: retry_interval(),
            retry_interval_max: None,
            retry_multiplier: retry_multiplier(),
            retry_jitter: retry_jitter(),
            wakeup_fallback: wakeup_fallback(),
            refresh_interval: None,
            refresh_retry_interval: None,
            failover_grace: None,
            acks: 0,
            acks_timeout: None,
            strict: false,
            lease_time: LeaseTime::default(),
            strategy: Strategy::default(),
            meta: BTreeMap::new(),
        }
    }

    /// Checks every field, except for the name and the namespace, which [`Name`](crate::Name) checks.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] that names the first field that is out of range.
    pub fn check(&self) -> Result<(), Error> {
        within("limit", &self.limit, &LIMIT)?;
        within("ttl", &self.ttl, &TTL)?;
        whole_millis("ttl", self.ttl)?;
        if self.acquire_timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(Error::config("acquire_timeout", "is zero; try_acquire does not wait"));
        }
        within("retry_interval", &self.retry_interval, &RETRY)?;
        within(
            "retry_interval_max",
            &self.longest_pause(),
            &(self.retry_interval..=*RETRY.end()),
        )?;
        within("retry_multiplier", &self.retry_multiplier, &MULTIPLIER)?;
        within("retry_jitter", &self.retry_jitter, &(0.0..=1.0))?;
        within("wakeup_fallback", &self.wakeup_fallback, &FALLBACK)?;
        within(
            "refresh_interval",
            &self.refreshes_every(),
            &(REFRESH_MIN..=self.ttl * 9 / 10),
        )?;
        within(
            "refresh_retry_interval",
            &self.retries_refresh_after(),
            &(*RETRY.start()..=self.ttl),
        )?;
        if let Some(grace) = self.failover_grace.filter(|grace| !grace.is_zero()) {
            within("failover_grace", &grace, &(self.ttl..=*TTL.end()))?;
            whole_millis("failover_grace", grace)?;
        }
        within("acks", &self.acks, &(0..=ACKS_MAX))?;
        within(
            "acks_timeout",
            &self.acknowledged_within(),
            &(*RETRY.start()..=self.ttl / 2),
        )?;
        self.encoded_meta().map(|_| ())
    }

    /// How long a grant waits for replicas.
    pub(crate) fn acknowledged_within(&self) -> Duration {
        self.acks_timeout.unwrap_or_else(|| operation_timeout(self.ttl))
    }

    pub(crate) fn longest_pause(&self) -> Duration {
        let ten_times = self.retry_interval.saturating_mul(10).min(*RETRY.end());
        self.retry_interval_max.unwrap_or(ten_times)
    }

    pub(crate) fn refreshes_every(&self) -> Duration {
        self.refresh_interval.unwrap_or(self.ttl / 3)
    }

    pub(crate) fn retries_refresh_after(&self) -> Duration {
        self.refresh_retry_interval.unwrap_or_else(|| {
            let step = (self.ttl / 30).clamp(Duration::from_millis(100), Duration::from_secs(1));
            step.min(self.refreshes_every() / 2)
        })
    }

    /// For how long nothing is granted by a server that took over; zero for no time.
    pub(crate) fn grace(&self, fails_over: bool) -> Duration {
        let default = if fails_over { self.ttl } else { Duration::ZERO };
        self.failover_grace.unwrap_or(default)
    }

    /// How long a permit handed to a waiter is kept for it: the ttl, at most 2 s.
    pub(crate) fn window(&self) -> Duration {
        self.ttl.min(Duration::from_secs(2))
    }

    /// How often the foremost waiter of a process looks for itself.
    pub(crate) fn look_interval(&self) -> Duration {
        match self.strategy {
            // At least once per claim window, so that a dead waiter at the head is noticed when its window ends.
            Strategy::Queue => self.wakeup_fallback.min(self.window()),
            Strategy::Notify | Strategy::Poll => self.wakeup_fallback,
        }
    }

    /// Three looks that fail in a row, and the time one may take, before a waiter counts as dead.
    pub(crate) fn patience(&self) -> Duration {
        self.look_interval() * 3 + operation_timeout(self.ttl)
    }

    /// `key=value` pairs joined by `&`, percent-encoded.
    pub(crate) fn encoded_meta(&self) -> Result<String, Error> {
        let pairs: Vec<String> = self
            .meta
            .iter()
            .map(|(key, value)| format!("{}={}", encode(key, "&="), encode(value, "&=")))
            .collect();
        let text = pairs.join("&");
        if text.len() > META_BYTES_MAX {
            let reason = format!("has {} bytes, more than {META_BYTES_MAX}", text.len());
            return Err(Error::config("meta", reason));
        }
        Ok(text)
    }
}

pub(crate) fn within<T: PartialOrd + std::fmt::Debug>(
    field: &'static str,
    value: &T,
    range: &RangeInclusive<T>,
) -> Result<(), Error> {
    if range.contains(value) {
        return Ok(());
    }
    let reason = format!("is {value:?}, not within {:?} to {:?}", range.start(), range.end());
    Err(Error::config(field, reason))
}

fn whole_millis(field: &'static str, duration: Duration) -> Result<(), Error> {
    if duration.subsec_nanos().is_multiple_of(1_000_000) {
        return Ok(());
    }
    Err(Error::config(
        field,
        format!("is {duration:?}, not a whole number of milliseconds"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(change: impl FnOnce(&mut Config)) -> String {
        let mut config = Config::new("name", 3);
        change(&mut config);
        config.check().unwrap_err().to_string()
    }

    /// SCENARIOS 5, 44, 63, 67.
    #[test]
    fn every_value_out_of_range_is_an_error_that_names_its_field() {
        const SECOND: Duration = Duration::from_secs(1);
        let messages = [
            refused(|config| config.limit = 0),
            refused(|config| config.limit = 65_537),
            refused(|config| config.ttl = Duration::from_millis(99)),
            refused(|config| config.ttl = SECOND * 86_401),
            refused(|config| config.ttl = Duration::from_micros(100_500)),
            refused(|config| config.acquire_timeout = Some(Duration::ZERO)),
            refused(|config| config.retry_interval = Duration::ZERO),
            refused(|config| config.retry_interval_max = Some(Duration::from_millis(50))),
            refused(|config| config.retry_multiplier = 0.5),
            refused(|config| config.retry_multiplier = f64::NAN),
            refused(|config| config.retry_jitter = 1.5),
            refused(|config| config.wakeup_fallback = Duration::MAX),
            refused(|config| config.refresh_interval = Some(SECOND * 60)),
            refused(|config| config.refresh_retry_interval = Some(SECOND * 31)),
            refused(|config| config.failover_grace = Some(SECOND)),
            refused(|config| config.failover_grace = Some(SECOND * 31 + Duration::from_micros(1))),
            refused(|config| config.acks = 101),
            refused(|config| config.acks_timeout = Some(SECOND * 16)),
            refused(|config| {
                config.meta.insert("note".to_owned(), "x".repeat(1024));
            }),
        ];

        assert_eq!(
            messages,
            [
                "limit is 0, not within 1 to 65536",
                "limit is 65537, not within 1 to 65536",
                "ttl is 99ms, not within 100ms to 86400s",
                "ttl is 86401s, not within 100ms to 86400s",
                "ttl is 100.5ms, not a whole number of milliseconds",
                "acquire_timeout is zero; try_acquire does not wait",
                "retry_interval is 0ns, not within 1ms to 3600s",
                "retry_interval_max is 50ms, not within 100ms to 3600s",
                "retry_multiplier is 0.5, not within 1.0 to 100.0",
                "retry_multiplier is NaN, not within 1.0 to 100.0",
                "retry_jitter is 1.5, not within 0.0 to 1.0",
                "wakeup_fallback is 18446744073709551615.999999999s, not within 100ms to 3600s",
                "refresh_interval is 60s, not within 10ms to 27s",
                "refresh_retry_interval is 31s, not within 1ms to 30s",
                "failover_grace is 1s, not within 30s to 86400s",
                "failover_grace is 31.000001s, not a whole number of milliseconds",
                "acks is 101, not within 0 to 100",
                "acks_timeout is 16s, not within 1ms to 15s",
                "meta has 1029 bytes, more than 1024",
            ]
        );
    }

    #[test]
    fn the_shortest_and_the_longest_ttl_have_defaults_that_pass() {
        for ttl in [*TTL.start(), *TTL.end()] {
            let config = Config {
                ttl,
                ..Config::new("name", 1)
            };

            assert!(config.check().is_ok());
            assert!(config.retries_refresh_after() < config.refreshes_every());
        }
    }
}
