//! What the `metrics` facade is told, as Prometheus would read it.

// Each of the tests takes what it needs of it.
#[allow(dead_code)]
mod scripted;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::FutureExt;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use semafence::LossReason;
use semafence_sim::{Client, Direction, Link, Mutex, Persistence, Sim};

use scripted::{Scripted, grant};

const TTL: Duration = Duration::from_secs(3);
const MILLISECOND: Duration = Duration::from_millis(1);

fn mutex(client: &Client) -> Mutex {
    client.mutex("name").ttl(TTL).build().unwrap()
}

async fn settle() {
    tokio::time::sleep(MILLISECOND * 100).await;
}

/// An exporter with the buckets of the documentation.
fn exporter() -> PrometheusRecorder {
    let builder = semafence::metrics::BUCKETS
        .iter()
        .fold(PrometheusBuilder::new(), |builder, (name, buckets)| {
            let matcher = Matcher::Full((*name).to_owned());
            builder.set_buckets_for_metric(matcher, buckets).unwrap()
        });
    builder.build_recorder()
}

/// Plays a scenario, and answers with what is told once all of its world is gone.
fn play<F: Future<Output = ()>>(scenario: impl FnOnce(Sim, Told) -> F) -> Told {
    let exporter = exporter();
    let told = Told(exporter.handle());
    metrics::with_local_recorder(&exporter, || {
        semafence_sim::run(1, |sim| scenario(sim, told.clone()));
    });
    told
}

/// What has been told so far.
#[derive(Clone)]
struct Told(PrometheusHandle);

impl Told {
    /// The series `name{labels}`, the labels as Prometheus writes them and without those of the name.
    fn try_series(&self, name: &str, labels: &str) -> Option<f64> {
        let wanted: BTreeSet<&str> = labels.split(',').filter(|label| !label.is_empty()).collect();
        self.0.render().lines().find_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (metric, found) = series.split_once('{').unwrap_or((series, ""));
            let found = found.trim_end_matches('}').split(',');
            let found: BTreeSet<&str> = found
                .filter(|label| !label.is_empty() && !OF_NAME.contains(label))
                .collect();
            (metric == name && found == wanted).then(|| value.parse().unwrap())
        })
    }

    fn series(&self, name: &str, labels: &str) -> f64 {
        let text = || self.0.render();
        self.try_series(name, labels)
            .unwrap_or_else(|| panic!("{name}{{{labels}}} is not in\n{}", text()))
    }

    fn held_and_waiting(&self) -> (f64, f64) {
        let waiting = self.try_series("semafence_waiters", "").unwrap_or_default();
        (self.series("semafence_permits_held", ""), waiting)
    }
}

const OF_NAME: [&str; 2] = [r#"semaphore="name""#, r#"namespace="semafence""#];

#[test]
fn an_acquire_and_its_release_are_told_from_end_to_end() {
    let told = play(|sim, told| async move {
        let client = sim.client();
        let semaphore = client.semaphore("name", 5).ttl(TTL).build().unwrap();
        let permit = semaphore.acquire_many(3).await.unwrap();

        assert_eq!(told.held_and_waiting(), (3.0, 0.0));
        assert_eq!(told.series("semafence_permits_limit", ""), 5.0);
        assert_eq!(told.series("semafence_token", ""), permit.token().as_u64() as f64);
        assert_eq!(told.series("semafence_backend_up", ""), 1.0);
        permit.release().await.unwrap();
    });

    assert_eq!(told.held_and_waiting(), (0.0, 0.0));
    assert_eq!(told.series("semafence_backend_up", ""), 0.0, "the client is gone");
    assert_eq!(told.series("semafence_acquires_total", r#"outcome="granted""#), 1.0);
    assert_eq!(told.series("semafence_wait_seconds_count", r#"outcome="granted""#), 1.0);
    assert_eq!(told.series("semafence_hold_seconds_count", ""), 1.0);
    assert_eq!(told.series("semafence_releases_total", r#"outcome="released""#), 1.0);
    assert_eq!(
        told.series("semafence_command_seconds_count", r#"verb="acquire",outcome="ok""#),
        1.0
    );
    assert_eq!(
        told.series("semafence_command_seconds_count", r#"verb="release",outcome="ok""#),
        1.0
    );
}

#[test]
fn a_failover_is_told_once_by_each_client_whatever_the_number_of_its_handles() {
    let told = play(|sim, told| async move {
        let client = sim.client();
        let handles = [(); 3].map(|()| mutex(&client));
        for handle in &handles {
            handle.lock().await.unwrap().release().await.unwrap();
        }
        tokio::time::sleep(TTL).await;
        assert_eq!(told.try_series("semafence_failovers_total", ""), None);

        sim.server().restart(Persistence::Kept);
        tokio::time::sleep(TTL).await;

        assert_eq!(client.stats().failovers, 1);
    });

    assert_eq!(told.series("semafence_failovers_total", ""), 1.0);
}

#[test]
fn time_is_that_of_the_simulation_and_falls_into_the_documented_buckets() {
    let told = play(|sim, _| async move {
        let permit = mutex(&sim.client()).lock_owned().await.unwrap();
        tokio::time::sleep(Duration::from_secs(200)).await;
        permit.release().await.unwrap();
    });

    let at_most = |bound: &str| told.series("semafence_hold_seconds_bucket", &format!("le=\"{bound}\""));
    assert_eq!((at_most("60"), at_most("300")), (0.0, 1.0));
    let sum = told.series("semafence_hold_seconds_sum", "");
    assert!((199.9..200.1).contains(&sum), "{sum}");
}

/// SCENARIOS 66.
#[test]
fn gauges_add_up_over_handles_and_clients_and_come_back_to_zero() {
    let told = play(|sim, told| async move {
        let (one, two) = (sim.client(), sim.client());
        let build = |client: &Client| client.semaphore("name", 4).ttl(TTL).build().unwrap();
        let handles = [build(&one), build(&one), build(&two), build(&two)];
        let mut permits = Vec::new();
        for handle in &handles {
            permits.push(handle.clone().acquire_owned().await.unwrap());
        }
        let waiting = handles.map(|handle| tokio::spawn(async move { handle.acquire_owned().await.map(drop) }));
        settle().await;

        assert_eq!(told.held_and_waiting(), (4.0, 4.0));
        assert_eq!(told.series("semafence_backend_up", ""), 2.0);
        waiting[0].abort();
        settle().await;
        assert_eq!(told.held_and_waiting(), (4.0, 3.0));
        drop(permits);
        settle().await;
        assert_eq!(told.held_and_waiting(), (0.0, 0.0));
    });

    assert_eq!(told.held_and_waiting(), (0.0, 0.0));
    assert_eq!(told.series("semafence_acquires_total", r#"outcome="granted""#), 7.0);
    assert_eq!(told.series("semafence_acquires_total", r#"outcome="cancelled""#), 1.0);
    assert_eq!(told.series("semafence_returns_total", r#"outcome="returned""#), 8.0);
}

/// SCENARIOS 66.
#[test]
fn gauges_come_back_to_zero_whatever_takes_the_permits_away() {
    let told = play(|sim, told| async move {
        let client = sim.client();
        let semaphore = client.semaphore("name", 9).ttl(TTL).build().unwrap();
        let held = || told.held_and_waiting().0;
        let forced = semaphore.acquire().await.unwrap();
        client.force_release("name", forced.holder()).await.unwrap();
        forced.lost().await;
        assert_eq!(held(), 0.0);
        let forgotten = semaphore.acquire().await.unwrap();
        sim.server().flush_all();
        forgotten.lost().await;
        assert_eq!(held(), 0.0);
        let expired = semaphore.acquire().await.unwrap();
        client.backend().process().partition();
        assert_eq!(expired.lost().await, LossReason::Expired);
        assert_eq!(held(), 0.0);
        assert_eq!(told.series("semafence_backend_down", ""), 1.0);
        client.backend().process().repair();
        let closed = semaphore.acquire().await.unwrap();
        assert_eq!(held(), 1.0);
        assert_eq!(told.series("semafence_backend_down", ""), 0.0);
        client.close().await;
        assert_eq!(held(), 0.0);
        settle().await;
        for reason in ["closed", "expired", "forced", "forgotten"] {
            assert_eq!(
                told.series("semafence_losses_total", &format!("reason=\"{reason}\"")),
                1.0
            );
        }
        drop((forced, forgotten, expired, closed));
        assert_eq!(held(), 0.0);
    });

    assert_eq!(told.held_and_waiting(), (0.0, 0.0));
    assert_eq!(told.series("semafence_hold_seconds_count", ""), 4.0);
    assert_eq!(told.series("semafence_releases_total", r#"outcome="lost""#), 4.0);
    assert_eq!(told.series("semafence_backend_up", ""), 0.0);
}

#[test]
fn what_is_left_of_leases_is_that_of_the_first_to_end_whichever_client_was_asked_last() {
    play(|sim, told| async move {
        let (well, ailing) = (sim.client(), sim.client());
        let build = |client: &Client| client.semaphore("name", 2).ttl(TTL).build().unwrap();
        let remaining = || told.try_series("semafence_lease_remaining_seconds", "");
        let _well = build(&well).acquire_owned().await.unwrap();
        let first = build(&ailing).acquire_owned().await.unwrap();
        assert_eq!(remaining(), None, "nothing was refreshed yet");
        tokio::time::sleep(TTL / 2).await;
        assert!(remaining() > Some(2.8), "{:?}", remaining());

        ailing.backend().process().partition();
        for _ in 0..20 {
            tokio::time::sleep(TTL / 20).await;
            // Told at each refresh and at each try that failed, the well one's included.
            if first.remaining() > TTL / 20 && first.remaining() < TTL / 2 {
                let behind = remaining().unwrap() - first.remaining().as_secs_f64();
                assert!((-0.05..0.6).contains(&behind), "{behind}");
            }
        }
        first.lost().await;
        tokio::time::sleep(TTL / 2).await;

        assert!(remaining() > Some(2.8), "{:?}", remaining());
    });
}

#[test]
fn what_was_left_of_a_lease_that_was_lost_is_not_told_of_the_next_one() {
    play(|sim, told| async move {
        let client = sim.client();
        // Of a name of its own: leases of all clients in the process count, those of other tests as well.
        let mutex = client.mutex("after a loss").ttl(TTL).build().unwrap();
        let remaining = || told.try_series("semafence_lease_remaining_seconds", r#"semaphore="after a loss""#);
        let lost = mutex.lock().await.unwrap();
        client.backend().process().partition();
        lost.lost().await;
        assert!(remaining() < Some(0.5), "{:?}", remaining());

        client.backend().process().repair();
        drop(lost);
        let _next = mutex.lock().await.unwrap();

        assert!(remaining() > Some(2.8), "{:?}", remaining());
    });
}

#[test]
fn a_recorder_that_comes_later_is_told_from_then_on_and_never_of_less_than_nothing() {
    semafence_sim::run(1, |sim| async move {
        let client = sim.client();
        let semaphore = client.semaphore("name", 3).ttl(TTL).build().unwrap();
        let before = semaphore.acquire().await.unwrap();
        let exporter = exporter();
        let told = Told(exporter.handle());

        let _installed = metrics::set_default_local_recorder(&exporter);
        let after = semaphore.acquire_many(2).await.unwrap();
        assert_eq!(told.held_and_waiting(), (2.0, 0.0));
        before.release().await.unwrap();
        assert_eq!(told.held_and_waiting(), (2.0, 0.0));
        after.release().await.unwrap();

        assert_eq!(told.held_and_waiting(), (0.0, 0.0));
        assert_eq!(told.series("semafence_releases_total", r#"outcome="released""#), 2.0);
    });
}

#[test]
fn a_token_that_goes_back_is_told() {
    let exporter = exporter();
    let told = Told(exporter.handle());
    metrics::with_local_recorder(&exporter, || {
        let client = semafence::Client::new(Scripted::new([9, 7].map(|token| Ok(grant(token))))).unwrap();
        let semaphore = client.semaphore("name", 9).build().unwrap();
        for _ in 0..2 {
            let _permit = semaphore.try_acquire().now_or_never().unwrap().unwrap().unwrap();
        }
    });

    assert_eq!(told.series("semafence_token_regressions_total", ""), 1.0);
    assert_eq!(told.series("semafence_token", ""), 9.0);
}

#[test]
fn a_name_is_told_as_it_was_declared() {
    let told = play(|sim, _| async move {
        let client = sim.client();
        let odd = client.mutex("a/{b} \"c\"").namespace("other").build().unwrap();
        odd.lock().await.unwrap().release().await.unwrap();
    });

    let labels = r#"{semaphore="a/{b} \"c\"",namespace="other",outcome="released"} 1"#;
    assert!(
        told.0.render().contains(&format!("semafence_releases_total{labels}")),
        "{}",
        told.0.render()
    );
}

/// Measuring draws nothing, waits for nothing and sends nothing.
#[test]
fn a_simulation_that_is_measured_is_the_same_to_the_letter() {
    let trace = || {
        semafence_sim::run(7, |sim| async move {
            let clients = [sim.client(), sim.client()];
            clients[0]
                .backend()
                .process()
                .drop_next(Link::Commands, Direction::Reply, 1);
            let work = |client: &Client| {
                let mutex = mutex(client);
                async move {
                    for _ in 0..20 {
                        let permit = mutex.lock().await.unwrap();
                        tokio::time::sleep(TTL / 5).await;
                        permit.release().await.unwrap();
                    }
                }
            };
            tokio::join!(work(&clients[0]), work(&clients[0]), work(&clients[1]));
            sim.trace()
        })
    };

    let bare = trace();
    let measured = metrics::with_local_recorder(&exporter(), trace);

    assert!(bare.len() > 100);
    assert_eq!(bare, measured);
}

/// Name, type and labels.
type Rows = BTreeMap<String, (String, BTreeSet<String>)>;

/// The rows of the table in the documentation.
fn documented() -> Rows {
    let rows = include_str!("../src/metrics.rs").lines();
    let rows = rows.filter_map(|line| line.strip_prefix("//! | `semafence_"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let labels = cells[3].split(", ").filter(|label| !label.is_empty());
        let name = format!("semafence_{}", cells[0].trim_end_matches('`'));
        (name, (cells[1].to_owned(), labels.map(str::to_owned).collect()))
    })
    .collect()
}

/// The same as it was told.
fn told_rows(told: &Told) -> Rows {
    let text = told.0.render();
    let mut rows = Rows::new();
    for line in text.lines() {
        if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            rows.insert(name.to_owned(), (kind.to_owned(), BTreeSet::new()));
        } else if let Some((name, labels)) = line.split_once('{') {
            let name = ["_bucket", "_sum", "_count"]
                .iter()
                .fold(name, |name, suffix| name.trim_end_matches(suffix));
            let labels = labels
                .split(',')
                .map(|label| label.split('=').next().unwrap().to_owned());
            rows.get_mut(name)
                .unwrap()
                .1
                .extend(labels.filter(|label| label != "le"));
        }
    }
    rows
}

#[test]
fn the_documentation_has_each_metric_that_is_told_and_no_other() {
    let told = play(|sim, _| async move {
        let client = sim.client();
        let permit = mutex(&client).lock_owned().await.unwrap();
        assert!(mutex(&client).lock_timeout(MILLISECOND * 50).await.is_err());
        tokio::time::sleep(TTL).await;
        client.backend().process().partition();
        permit.lost().await;
        client.backend().process().repair();
        sim.server().restart(Persistence::Kept);
        settle().await;
        drop(permit);
        settle().await;

        let scripted = semafence::Client::new(Scripted::new([9, 7].map(|token| Ok(grant(token))))).unwrap();
        let semaphore = scripted.semaphore("name", 9).build().unwrap();
        for _ in 0..2 {
            let _permit = semaphore.try_acquire().await.unwrap();
        }
    });

    assert_eq!(told_rows(&told), documented());
    assert_eq!(documented().len(), 17);
}
