//! Grants that wait for replicas.

use std::time::Duration;

use semafence::{Error, Standing};
use semafence_sim::{Direction, Link, Server, Sim, run, run_with_replicas};

use crate::support::sleep;

const TTL: Duration = Duration::from_secs(30);
const LAG: Duration = Duration::from_millis(40);
const SEEDS: std::ops::RangeInclusive<u64> = 1..=10;

type Semaphore = semafence::Semaphore<semafence_sim::SimBackend, semafence_sim::SimClock>;

fn semaphore(sim: &Sim, acks: u32) -> Semaphore {
    let builder = sim.client().semaphore("name", 1).ttl(TTL);
    builder.acks(acks).failover_grace(Duration::ZERO).build().unwrap()
}

/// The master goes down for good, and that replica takes over with what it has.
async fn fail_over_to(sim: &Sim, replica: &Server) {
    let site = sim.deployment(0);
    site.master().crash();
    site.promote(replica);
    sleep(Duration::from_millis(500)).await;
}

fn in_world<F: Future<Output = ()>>(replicas: u32, scenario: impl Fn(Sim, Vec<Server>) -> F) {
    for seed in SEEDS {
        run_with_replicas(seed, replicas, |sim| {
            let replicas = sim.deployment(0).servers().split_off(1);
            for replica in &replicas {
                sim.deployment(0).set_lag(replica, LAG);
            }
            scenario(sim, replicas)
        });
    }
}

#[test]
fn a_grant_that_was_acknowledged_outlives_its_master_and_others_do_not() {
    for (acks, survives) in [(0, false), (1, true)] {
        in_world(1, |sim, replicas| async move {
            let permit = semaphore(&sim, acks).acquire_owned().await.unwrap();
            assert_eq!(permit.acks(), acks);

            fail_over_to(&sim, &replicas[0]).await;

            let is_free = semaphore(&sim, 0).try_acquire().await.unwrap().is_some();
            assert_eq!(permit.refresh().await.unwrap() == Standing::Held, survives);
            assert_eq!(is_free, !survives);
        });
    }
}

#[test]
fn acknowledged_by_one_replica_it_is_lost_with_the_promotion_of_another() {
    in_world(2, |sim, replicas| async move {
        replicas[1].cut_replication();
        let permit = semaphore(&sim, 1).acquire_owned().await.unwrap();
        assert_eq!(permit.acks(), 1);

        fail_over_to(&sim, &replicas[1]).await;

        assert_eq!(permit.refresh().await.unwrap(), Standing::Absent);
    });
}

#[test]
fn a_grant_that_too_few_replicas_acknowledge_is_an_error_and_undone() {
    in_world(2, |sim, replicas| async move {
        replicas[1].cut_replication();
        let wanting = sim.client().semaphore("name", 1).ttl(TTL).acks(2);
        let wanting = wanting.acks_timeout(Duration::from_millis(300)).build().unwrap();
        let before = sim.now();

        let error = wanting.acquire().await.unwrap_err();

        assert!(
            matches!(error, Error::Unacknowledged { acks: 1, wanted: 2, .. }),
            "{error}"
        );
        assert!(error.is_transient());
        let took = sim.now() - before;
        assert!(
            (Duration::from_millis(300)..Duration::from_millis(320)).contains(&took),
            "{took:?}"
        );
        assert_eq!(wanting.client().stats().total.acquires.unacknowledged, 1);
        sleep(Duration::from_millis(50)).await;
        assert!(semaphore(&sim, 0).try_acquire().await.unwrap().is_some(), "given back");
    });
}

#[test]
fn the_permit_tells_what_it_stands_on() {
    in_world(2, |sim, replicas| async move {
        let first = semaphore(&sim, 2).acquire_owned().await.unwrap();
        let before = first.epoch().expect("the simulator counts failovers");
        assert_eq!(first.acks(), 2);
        first.release().await.unwrap();
        fail_over_to(&sim, &replicas[0]).await;
        sleep(Duration::from_secs(1)).await;

        let second = semaphore(&sim, 1).acquire_owned().await.unwrap();

        assert_eq!(second.epoch(), Some(before + 1));
        assert_eq!(
            (semaphore(&sim, 0).try_acquire().await.unwrap()).map(|permit| permit.acks()),
            None
        );
    });
}

#[test]
fn a_failover_between_the_grant_and_its_acknowledgement_leads_to_another_grant() {
    in_world(2, |sim, replicas| async move {
        let waiting = semaphore(&sim, 1);
        let process = waiting.client().backend().process().clone();
        replicas.iter().for_each(Server::cut_replication);
        process.hold(Link::Acks, Direction::Request);
        let granted = tokio::spawn(async move { waiting.acquire_owned().await });
        sleep(Duration::from_millis(50)).await;
        let forgotten = sim
            .client()
            .status("name")
            .await
            .unwrap()
            .token
            .expect("it was granted");
        fail_over_to(&sim, &replicas[0]).await;
        process.deliver();

        let permit = granted.await.unwrap().unwrap();

        assert!(permit.token() > forgotten);
        assert_eq!(permit.acks(), 1);
        assert_eq!(permit.refresh().await.unwrap(), Standing::Held);
    });
}

#[test]
fn an_acquire_that_is_dropped_while_it_waits_for_replicas_leaves_nothing_behind() {
    in_world(1, |sim, replicas| async move {
        replicas[0].cut_replication();
        let waiting = semaphore(&sim, 1);
        let gives_up = tokio::time::timeout(Duration::from_millis(100), waiting.acquire()).await;
        assert!(gives_up.is_err());
        sleep(Duration::from_millis(50)).await;

        assert!(semaphore(&sim, 0).try_acquire().await.unwrap().is_some());
    });
}

#[test]
fn without_replicas_nothing_is_acknowledged_and_the_error_says_so() {
    run(1, |sim| async move {
        let error = semaphore(&sim, 1).acquire().await.unwrap_err();

        assert_eq!(error.to_string(), "0 of 1 replicas acknowledged the grant of name");
    });
}
