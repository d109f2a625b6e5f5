//! Tells the `metrics` facade what is measured.
//!
//! Keys are kept, handles are not: a recorder may be installed later than the client, and an exporter may forget series
//! that were idle; a handle from before would write where nobody reads.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, SharedString, with_recorder};

use crate::fence::FencingToken;
use crate::meter::{Meter, Verb, least};
use crate::metrics::{self as known, Kind, Metric};
use crate::name::Name;
use crate::stats::{Acquired, Lost, Refreshed, Released, Returned};

const METADATA: Metadata<'static> = Metadata::new("semafence", Level::INFO, Some("semafence"));

/// The keys of one metric, by the value of its last label; each is made when it is first needed.
type Keys<const N: usize> = [OnceLock<Key>; N];

/// What is told of one name in one client.
pub(crate) struct Emitter {
    name: Name,
    labels: OnceLock<[SharedString; 2]>,
    limit: OnceLock<Key>,
    held: OnceLock<Key>,
    waiters: OnceLock<Key>,
    acquires: Keys<{ Acquired::LABELS.len() }>,
    wait: Keys<{ Acquired::LABELS.len() }>,
    hold: OnceLock<Key>,
    refreshes: Keys<{ Refreshed::LABELS.len() }>,
    lease_remaining: OnceLock<Key>,
    is_lease_remaining_told: AtomicBool,
    losses: Keys<{ Lost::LABELS.len() }>,
    releases: Keys<{ Released::LABELS.len() }>,
    returns: Keys<{ Returned::LABELS.len() }>,
    token: OnceLock<Key>,
    token_regressions: OnceLock<Key>,
}

impl Emitter {
    pub(crate) fn new(name: &Name) -> Self {
        Self {
            name: name.clone(),
            labels: OnceLock::new(),
            limit: OnceLock::new(),
            held: OnceLock::new(),
            waiters: OnceLock::new(),
            acquires: Default::default(),
            wait: Default::default(),
            hold: OnceLock::new(),
            refreshes: Default::default(),
            lease_remaining: OnceLock::new(),
            is_lease_remaining_told: AtomicBool::new(false),
            losses: Default::default(),
            releases: Default::default(),
            returns: Default::default(),
            token: OnceLock::new(),
            token_regressions: OnceLock::new(),
        }
    }

    pub(crate) fn waits(&self) -> Raised {
        raise(self.key(&self.waiters, &known::WAITERS), 1)
    }

    pub(crate) fn holds(&self, slots: u32) -> Raised {
        raise(self.key(&self.held, &known::HELD), slots)
    }

    pub(crate) fn limit(&self, limit: u32) {
        gauge(self.key(&self.limit, &known::LIMIT)).set(limit);
    }

    pub(crate) fn token(&self, token: FencingToken) {
        // Exact: tokens stay below 2^53.
        gauge(self.key(&self.token, &known::TOKEN)).set(token.as_u64() as f64);
    }

    pub(crate) fn token_went_back(&self) {
        counter(self.key(&self.token_regressions, &known::TOKEN_REGRESSIONS)).increment(1);
    }

    pub(crate) fn acquired(&self, outcome: Acquired, waited: Duration) {
        let index = outcome as usize;
        let label = Acquired::LABELS[index];
        counter(self.key_by(&self.acquires[index], &known::ACQUIRES, label)).increment(1);
        histogram(self.key_by(&self.wait[index], &known::WAIT, label)).record(waited);
    }

    pub(crate) fn held_for(&self, took: Duration) {
        histogram(self.key(&self.hold, &known::HOLD)).record(took);
    }

    pub(crate) fn refreshed(&self, outcome: Refreshed) {
        self.count(&self.refreshes, &known::REFRESHES, outcome as usize, Refreshed::LABELS);
    }

    pub(crate) fn lost(&self, reason: Lost) {
        self.count(&self.losses, &known::LOSSES, reason as usize, Lost::LABELS);
    }

    pub(crate) fn released(&self, outcome: Released) {
        self.count(&self.releases, &known::RELEASES, outcome as usize, Released::LABELS);
    }

    pub(crate) fn returned(&self, outcome: Returned) {
        self.count(&self.returns, &known::RETURNS, outcome as usize, Returned::LABELS);
    }

    fn lease_remaining(&self, remaining: Duration) {
        self.is_lease_remaining_told.store(true, Ordering::Relaxed);
        gauge(self.key(&self.lease_remaining, &known::LEASE_REMAINING)).set(remaining);
    }

    fn count(&self, keys: &[OnceLock<Key>], metric: &Metric, index: usize, labels: &[&'static str]) {
        counter(self.key_by(&keys[index], metric, labels[index])).increment(1);
    }

    fn key<'a>(&self, cell: &'a OnceLock<Key>, metric: &Metric) -> &'a Key {
        cell.get_or_init(|| key(metric, self.labels()))
    }

    fn key_by<'a>(&self, cell: &'a OnceLock<Key>, metric: &Metric, value: &'static str) -> &'a Key {
        let value = SharedString::const_str(value);
        cell.get_or_init(|| key(metric, self.labels().chain([value])))
    }

    /// Semaphore and namespace, one copy for all keys.
    fn labels(&self) -> impl Iterator<Item = SharedString> + use<'_> {
        let shared = |text: &str| SharedString::from_shared(Arc::from(text));
        let labels = || [shared(self.name.as_str()), shared(self.name.namespace())];
        self.labels.get_or_init(labels).iter().cloned()
    }
}

impl fmt::Debug for Emitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Emitter").finish_non_exhaustive()
    }
}

impl Drop for Emitter {
    fn drop(&mut self) {
        least::leave(&self.name);
    }
}

/// What is told of the calls of one client.
#[derive(Debug, Default)]
pub(crate) struct CommandEmitter {
    keys: [Keys<{ Verb::LABELS.len() }>; 2],
}

impl CommandEmitter {
    pub(crate) fn called(&self, verb: Verb, is_ok: bool, took: Duration) {
        let outcome = if is_ok { "ok" } else { "error" };
        let values = [Verb::LABELS[verb as usize], outcome].map(SharedString::const_str);
        let cell = &self.keys[usize::from(is_ok)][verb as usize];
        histogram(cell.get_or_init(|| key(&known::COMMAND, values))).record(took);
    }

    pub(crate) fn failed_over(&self) {
        counter(&key(&known::FAILOVERS, [])).increment(1);
    }

    pub(crate) fn link(&self, is_up: bool) -> Raised {
        let metric = if is_up {
            &known::BACKEND_UP
        } else {
            &known::BACKEND_DOWN
        };
        raise(&key(metric, []), 1)
    }
}

/// A gauge that was counted up; dropping it counts it down, in the recorder where that was.
#[derive(Debug)]
pub(crate) struct Raised {
    gauge: Gauge,
    by: u32,
}

impl Drop for Raised {
    fn drop(&mut self) {
        self.gauge.decrement(self.by);
    }
}

/// Describes every metric to the recorder that is installed.
pub(crate) fn describe() {
    with_recorder(|recorder| {
        for metric in known::ALL {
            let (name, unit, meaning) = (metric.name.into(), Some(metric.unit), metric.meaning.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, unit, meaning),
                Kind::Gauge => recorder.describe_gauge(name, unit, meaning),
                Kind::Histogram => recorder.describe_histogram(name, unit, meaning),
            }
        }
    });
}

/// From now on the leases of this meter count among those of its name.
pub(crate) fn join(meter: &Arc<Meter>) {
    least::join(&meter.name, meter);
}

/// Leases of these meters have just been refreshed, or have not: tells what is left to the first of each name.
pub(crate) fn sample_leases<'a>(meters: impl Iterator<Item = &'a Arc<Meter>>) {
    let names: BTreeMap<&Name, &Arc<Meter>> = meters.map(|meter| (&meter.name, meter)).collect();
    for (name, meter) in names {
        if let Some(remaining) = least::remaining(name) {
            meter.emitter.lease_remaining(remaining);
        }
    }
}

/// A lease has begun. What was told of an earlier one, which may have ended at risk, must not be taken for this one's; where
/// nothing was ever told there is nothing to correct, and short holds do not pay for it.
pub(crate) fn lease_began(meter: &Arc<Meter>) {
    if meter.emitter.is_lease_remaining_told.load(Ordering::Relaxed) {
        sample_leases(std::iter::once(meter));
    }
}

fn key(metric: &Metric, values: impl IntoIterator<Item = SharedString>) -> Key {
    let labels = metric.labels.iter().zip(values);
    let labels: Vec<Label> = labels.map(|(name, value)| Label::new(*name, value)).collect();
    Key::from_parts(metric.name, labels)
}

fn raise(key: &Key, by: u32) -> Raised {
    let gauge = gauge(key);
    gauge.increment(by);
    Raised { gauge, by }
}

fn counter(key: &Key) -> Counter {
    with_recorder(|recorder| recorder.register_counter(key, &METADATA))
}

fn gauge(key: &Key) -> Gauge {
    with_recorder(|recorder| recorder.register_gauge(key, &METADATA))
}

fn histogram(key: &Key) -> Histogram {
    with_recorder(|recorder| recorder.register_histogram(key, &METADATA))
}
