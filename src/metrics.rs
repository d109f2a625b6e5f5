//! What a client tells the [`metrics`](https://docs.rs/metrics) facade: names, labels, and buckets for the histograms.
//!
//! The names follow OpenTelemetry's metrics of connection pools (`db.client.connection.*`): a permit is what a connection
//! is there. `count` is `semafence_permits_held`, `max` is `semafence_permits_limit`, `pending_requests` is
//! `semafence_waiters`, `wait_time` and `use_time` are `semafence_wait_seconds` and `semafence_hold_seconds`, `timeouts` is
//! `semafence_acquires_total{outcome="timed_out"}`.
//!
//! | name | type | unit | labels | meaning |
//! |---|---|---|---|---|
//! | `semafence_permits_limit` | gauge | count | semaphore, namespace | the limit in force at the latest grant; before the first, as configured |
//! | `semafence_permits_held` | gauge | count | semaphore, namespace | slots that permits of this process hold, until they are released, dropped or lost |
//! | `semafence_waiters` | gauge | count | semaphore, namespace | acquires of this process that found no permit free and wait for one |
//! | `semafence_acquires_total` | counter | count | semaphore, namespace, outcome | acquires that have ended: [`AcquireCounts`](crate::AcquireCounts) |
//! | `semafence_wait_seconds` | histogram | seconds | semaphore, namespace, outcome | from asking for a permit until the acquire ended, whatever it came to |
//! | `semafence_hold_seconds` | histogram | seconds | semaphore, namespace | from the grant until the permit was released, dropped or lost |
//! | `semafence_refreshes_total` | counter | count | semaphore, namespace, outcome | refreshes, one for each permit in a call: [`RefreshCounts`](crate::RefreshCounts) |
//! | `semafence_lease_remaining_seconds` | gauge | seconds | semaphore, namespace | time left to the permit of this process that ends first, as of the latest refresh |
//! | `semafence_losses_total` | counter | count | semaphore, namespace, reason | permits that were lost: [`LossCounts`](crate::LossCounts) |
//! | `semafence_releases_total` | counter | count | semaphore, namespace, outcome | permits by how their holder parted with them: [`ReleaseCounts`](crate::ReleaseCounts) |
//! | `semafence_returns_total` | counter | count | semaphore, namespace, outcome | what was given back in the background, cancelled acquires included: [`ReturnCounts`](crate::ReturnCounts) |
//! | `semafence_token` | gauge | count | semaphore, namespace | the highest fencing token that was granted to this process |
//! | `semafence_token_regressions_total` | counter | count | semaphore, namespace | grants whose token was not above the highest that was known when they were asked for |
//! | `semafence_command_seconds` | histogram | seconds | verb, outcome | calls of the backend by method and `ok` or `error`, those of the keeper included |
//! | `semafence_backend_up` | gauge | count | | clients whose last call was answered: 1 or 0 where the process has one client |
//! | `semafence_backend_down` | gauge | count | | clients whose last call failed in a way that may pass: no connection, no answer in time, a server that cannot serve |
//! | `semafence_failovers_total` | counter | count | | lost connections that led to another server, or to the same one started anew, when they were there again; of the keeper of each client, from its first permit on |
//!
//! # What to know of them
//!
//! - `semaphore` is the name as declared, `namespace` that of the semaphore or its client. There are as many series as
//!   names, so a program that makes up a name for each order wants an exporter that forgets idle series.
//! - `semafence_permits_held`, `semafence_waiters`, `semafence_backend_up` and `_down` are added to and subtracted from, so
//!   they are right with many handles and clients of one name in a process; summed over processes they are the whole. What
//!   was counted up in a recorder is counted down in the same one, also when another is installed meanwhile.
//! - `semafence_permits_limit` and `semafence_token` are set at each grant; over processes take the maximum.
//! - `semafence_lease_remaining_seconds` is set whenever a refresh was answered or has failed, for all permits of the name
//!   in this process, by the local clock: a third of the ttl after a refresh at the latest it is near the ttl again, and
//!   while refreshes fail it falls with each try. It is not there before the first refresh, is set anew by a later grant, and
//!   keeps its last value when nothing is held any more: `semafence_lease_remaining_seconds < 5 and
//!   semafence_permits_held > 0` is an alert.
//! - `semafence_failovers_total` is counted by each client: one failover is as many as the process has clients that have
//!   held a permit. A server is known by the id that it gives itself at its start, or by its address where it does not say
//!   (`INFO server`). So a restart counts, also one that kept its data, and a failover behind one address or name does;
//!   of several servers each counts.
//! - A call that its caller drops within [`Claim::timeout`](crate::Claim::timeout) is not in `semafence_command_seconds`;
//!   later it is an error.
//! - The recorder must be the global one: the keeper tells from a thread of its own.
//! - Time is that of the client's [`Clock`](crate::Clock): in the simulator, virtual.
//! - [`Client::stats`](crate::Client::stats) has the same figures without the facade.
//!
//! # Examples
//!
//! Exporters make summaries of histograms unless they are told the buckets; summaries cannot be added up over processes.
//! With `metrics-exporter-prometheus`:
//!
//! ```
//! use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
//!
//! let mut builder = PrometheusBuilder::new();
//! for (name, buckets) in semafence::metrics::BUCKETS {
//!     builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)?;
//! }
//! let handle = builder.install_recorder()?;
//! semafence::metrics::describe();
//! println!("{}", handle.render());
//! # Ok::<(), metrics_exporter_prometheus::BuildError>(())
//! ```

use ::metrics::Unit;

/// Buckets for `semafence_wait_seconds`: from a round trip on a local network to the waits that people notice.
pub const WAIT_SECONDS: &[f64] = &[
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
];

/// Buckets for `semafence_hold_seconds`: from a short critical section to a job of hours.
pub const HOLD_SECONDS: &[f64] = &[
    0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0,
];

/// Buckets for `semafence_command_seconds`: up to the longest that a call may take, two and a half seconds.
pub const COMMAND_SECONDS: &[f64] = &[
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
];

/// The name of each histogram, and its buckets.
pub const BUCKETS: &[(&str, &[f64])] = &[
    (WAIT.name, WAIT_SECONDS),
    (HOLD.name, HOLD_SECONDS),
    (COMMAND.name, COMMAND_SECONDS),
];

/// Describes all metrics to the recorder that is installed. Each client does it when it is built; a recorder that is
/// installed after the last of them needs it.
pub fn describe() {
    crate::meter::describe();
}

/// One metric.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) unit: Unit,
    /// The names of its labels, in the order in which a key is made of them.
    pub(crate) labels: &'static [&'static str],
    pub(crate) meaning: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

macro_rules! metrics {
    ($($constant:ident: $kind:ident, $unit:ident, $name:literal, $labels:expr, $meaning:literal;)+) => {
        $(pub(crate) const $constant: Metric = Metric {
            name: $name,
            kind: Kind::$kind,
            unit: Unit::$unit,
            labels: $labels,
            meaning: $meaning,
        };)+

        pub(crate) const ALL: &[Metric] = &[$($constant),+];
    };
}

const NAME: &[&str] = &["semaphore", "namespace"];
const NAME_AND_OUTCOME: &[&str] = &["semaphore", "namespace", "outcome"];
const NAME_AND_REASON: &[&str] = &["semaphore", "namespace", "reason"];

metrics! {
    LIMIT: Gauge, Count, "semafence_permits_limit", NAME,
        "the limit in force at the latest grant; before the first, as configured";
    HELD: Gauge, Count, "semafence_permits_held", NAME,
        "slots that permits of this process hold, until they are released, dropped or lost";
    WAITERS: Gauge, Count, "semafence_waiters", NAME,
        "acquires of this process that found no permit free and wait for one";
    ACQUIRES: Counter, Count, "semafence_acquires_total", NAME_AND_OUTCOME,
        "acquires that have ended";
    WAIT: Histogram, Seconds, "semafence_wait_seconds", NAME_AND_OUTCOME,
        "from asking for a permit until the acquire ended, whatever it came to";
    HOLD: Histogram, Seconds, "semafence_hold_seconds", NAME,
        "from the grant until the permit was released, dropped or lost";
    REFRESHES: Counter, Count, "semafence_refreshes_total", NAME_AND_OUTCOME,
        "refreshes, one for each permit in a call";
    LEASE_REMAINING: Gauge, Seconds, "semafence_lease_remaining_seconds", NAME,
        "time left to the permit of this process that ends first, as of the latest refresh";
    LOSSES: Counter, Count, "semafence_losses_total", NAME_AND_REASON,
        "permits that were lost";
    RELEASES: Counter, Count, "semafence_releases_total", NAME_AND_OUTCOME,
        "permits by how their holder parted with them";
    RETURNS: Counter, Count, "semafence_returns_total", NAME_AND_OUTCOME,
        "what was given back in the background, cancelled acquires included";
    TOKEN: Gauge, Count, "semafence_token", NAME,
        "the highest fencing token that was granted to this process";
    TOKEN_REGRESSIONS: Counter, Count, "semafence_token_regressions_total", NAME,
        "grants whose token was not above the highest that was known when they were asked for";
    COMMAND: Histogram, Seconds, "semafence_command_seconds", &["verb", "outcome"],
        "calls of the backend by method and ok or error, those of the keeper included";
    BACKEND_UP: Gauge, Count, "semafence_backend_up", &[],
        "clients whose last call was answered: 1 or 0 where the process has one client";
    BACKEND_DOWN: Gauge, Count, "semafence_backend_down", &[],
        "clients whose last call failed in a way that may pass: no connection, no answer in time, a server that cannot serve";
    FAILOVERS: Counter, Count, "semafence_failovers_total", &[],
        "lost connections that led to another server, or to the same one started anew, when they were there again";
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Name, type, unit and labels of each row of the table above.
    fn documented() -> Vec<[String; 4]> {
        let rows = include_str!("metrics.rs").lines();
        rows.filter_map(|row| row.strip_prefix("//! | `semafence_"))
            .map(|row| {
                let mut cells = row.split('|').map(|cell| cell.trim().trim_end_matches('`').to_owned());
                [(); 4].map(|()| cells.next().expect("a row has five cells"))
            })
            .collect()
    }

    #[test]
    fn the_table_says_what_the_code_does() {
        let row = |metric: &Metric| {
            let name = metric.name.strip_prefix("semafence_").unwrap().to_owned();
            let kind = format!("{:?}", metric.kind).to_lowercase();
            [name, kind, metric.unit.as_str().to_owned(), metric.labels.join(", ")]
        };

        assert_eq!(documented(), ALL.iter().map(row).collect::<Vec<_>>());
    }

    #[test]
    fn every_histogram_has_buckets_that_grow() {
        let histograms = ALL.iter().filter(|metric| metric.kind == Kind::Histogram);
        let names: Vec<&str> = histograms.map(|metric| metric.name).collect();

        assert_eq!(BUCKETS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), names);
        assert!(BUCKETS.iter().all(|(_, bounds)| bounds.is_sorted_by(|a, b| a < b)));
    }

    #[test]
    fn names_end_as_prometheus_wants_them() {
        for Metric { name, kind, unit, .. } in ALL {
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert_eq!(name.ends_with("_seconds"), *unit == Unit::Seconds, "{name}");
        }
    }
}
