//! Waiters whose server has lost the queue.

use std::time::Duration;

use semafence_sim::{Client, Persistence, Sim, run_with_replicas};
use tokio::task::JoinSet;

use crate::support::sleep;

const TTL: Duration = Duration::from_secs(30);
/// Time to connect anew and for two looks at the server.
const SOON: Duration = Duration::from_millis(600);
const SEEDS: std::ops::RangeInclusive<u64> = 1..=10;
const WAITERS: u64 = 20;

type Semaphore = semafence::Semaphore<semafence_sim::SimBackend, semafence_sim::SimClock>;

fn semaphore(client: &Client) -> Semaphore {
    let semaphore = client.semaphore("name", 1).ttl(TTL);
    semaphore.failover_grace(Duration::ZERO).build().unwrap()
}

fn in_world<F: Future<Output = ()>>(scenario: impl Fn(Sim) -> F) {
    for seed in SEEDS {
        run_with_replicas(seed, 1, &scenario);
    }
}

/// One that holds, and others that wait in a process of their own; whoever gets the permit keeps it.
struct Crowd {
    waiting: Client,
    tasks: JoinSet<()>,
}

impl Crowd {
    async fn of(sim: &Sim, waiters: u64) -> Self {
        let mut crowd = Self {
            waiting: sim.client(),
            tasks: JoinSet::new(),
        };
        crowd.add(&sim.client(), 1).await;
        crowd.join(waiters).await;
        crowd
    }

    async fn join(&mut self, waiters: u64) {
        let waiting = self.waiting.clone();
        self.add(&waiting, waiters).await;
    }

    async fn add(&mut self, client: &Client, count: u64) {
        for _ in 0..count {
            let semaphore = semaphore(client);
            self.tasks.spawn(async move {
                let _permit = semaphore.acquire_owned().await.unwrap();
                std::future::pending().await
            });
        }
        sleep(Duration::from_millis(300)).await;
    }
}

async fn queued(sim: &Sim) -> u64 {
    semaphore(&sim.client()).status().await.unwrap().waiters_total
}

#[test]
fn everybody_is_in_the_queue_again_soon_after_a_server_came_back_without_it() {
    in_world(|sim| async move {
        let _crowd = Crowd::of(&sim, WAITERS).await;
        assert_eq!(queued(&sim).await, WAITERS);

        sim.server().restart(Persistence::Lost);
        sleep(SOON).await;

        assert_eq!(queued(&sim).await, WAITERS - 1, "one of them holds");
    });
}

#[test]
fn everybody_is_in_the_queue_again_soon_after_a_failover_that_lost_the_latest() {
    in_world(|sim| async move {
        let site = sim.deployment(0);
        let mut crowd = Crowd::of(&sim, WAITERS / 2).await;
        let replica = site.successor().expect("there is a replica");
        replica.cut_replication();
        crowd.join(WAITERS / 2).await;
        assert_eq!(queued(&sim).await, WAITERS);

        site.master().crash();
        site.promote(&replica);
        sleep(SOON).await;

        assert_eq!(queued(&sim).await, WAITERS);
    });
}

#[test]
fn everybody_is_in_the_queue_again_after_its_key_was_evicted() {
    in_world(|sim| async move {
        let _crowd = Crowd::of(&sim, WAITERS).await;

        assert!(sim.server().delete("{semafence:name}:queue"));
        // Nobody is told; the next look of the foremost finds it out.
        sleep(Duration::from_secs(2) + SOON).await;

        assert_eq!(queued(&sim).await, WAITERS);
    });
}
