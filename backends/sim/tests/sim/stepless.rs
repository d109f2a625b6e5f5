//! Leases whose time is the server's without its steps.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use semafence::{LeaseTime, LossReason, Permit, Standing, Strategy};
use semafence_sim::{Random, Sim, run_with_replicas};

use crate::support::sleep;

const TTL: Duration = Duration::from_secs(4);
const HOUR_US: i64 = 3_600_000_000;
const STEPS_US: [i64; 6] = [HOUR_US, -HOUR_US, 2_000_000, -2_000_000, 600_000, 20 * HOUR_US / 24];
const SEEDS: std::ops::RangeInclusive<u64> = 1..=20;

type Semaphore = semafence::Semaphore<semafence_sim::SimBackend, semafence_sim::SimClock>;

fn semaphore(sim: &Sim, lease_time: LeaseTime) -> Semaphore {
    let semaphore = sim.client().semaphore("name", 1).ttl(TTL);
    semaphore.lease_time(lease_time).build().unwrap()
}

fn in_world<F: Future<Output = ()>>(scenario: impl Fn(Sim) -> F) {
    for seed in SEEDS {
        run_with_replicas(seed, 1, &scenario);
    }
}

/// How long after the last that was heard of a holder a waiter gets its permit, the clock being stepped meanwhile.
async fn replaced_after(sim: &Sim, lease_time: LeaseTime, step_us: i64) -> Duration {
    let (holding, waiting) = (semaphore(sim, lease_time), semaphore(sim, lease_time));
    let permit = holding.acquire_owned().await.unwrap();
    let waits = tokio::spawn(async move { waiting.acquire_owned().await.map(|permit| permit.token()) });
    sleep(TTL).await;
    holding.client().backend().process().partition();
    let heard_of = sim.now();
    sleep(TTL / 2).await;
    sim.server().step_clock_us(step_us);

    let token = waits.await.unwrap().unwrap();

    assert!(token > permit.token());
    sim.now() - heard_of
}

#[test]
fn a_step_of_the_clock_frees_no_lease_early_and_keeps_none_for_long() {
    for step_us in STEPS_US {
        in_world(|sim| async move {
            let took = replaced_after(&sim, LeaseTime::Stepless, step_us).await;

            // What was heard last was a refresh up to a third of the ttl ago; each lease is given a quarter more, and as much
            // may pass unseen while the clock goes back.
            assert!(took >= TTL * 2 / 3, "step {step_us}: {took:?}");
            assert!(
                took <= TTL * 3 / 2 + Duration::from_millis(50),
                "step {step_us}: {took:?}"
            );
        });
    }
}

#[test]
fn by_the_servers_own_time_a_step_does_free_it_early() {
    in_world(|sim| async move {
        let took = replaced_after(&sim, LeaseTime::Server, HOUR_US).await;

        assert!(took < TTL * 2 / 3, "{took:?}");
    });
}

#[test]
fn a_kept_permit_outlasts_steps_in_both_directions() {
    in_world(|sim| async move {
        let (holding, trying) = (
            semaphore(&sim, LeaseTime::Stepless),
            semaphore(&sim, LeaseTime::Stepless),
        );
        let permit = holding.acquire_owned().await.unwrap();

        for step_us in STEPS_US {
            sim.server().step_clock_us(step_us);
            for _ in 0..8 {
                sleep(TTL / 8).await;
                assert!(trying.try_acquire().await.unwrap().is_none());
            }
            assert!(permit.is_held());
        }

        assert_eq!(permit.release().await.unwrap(), Standing::Held);
        assert!(trying.try_acquire().await.unwrap().is_some());
    });
}

#[test]
fn a_promoted_replica_whose_clock_is_another_moves_no_lease() {
    for offset_us in [HOUR_US, -HOUR_US] {
        in_world(|sim| async move {
            let site = sim.deployment(0);
            site.successor().expect("there is a replica").step_clock_us(offset_us);
            let (holding, dying) = (
                semaphore(&sim, LeaseTime::Stepless),
                semaphore(&sim, LeaseTime::Stepless),
            );
            let permit = holding.acquire_owned().await.unwrap();
            sleep(TTL).await;
            site.failover(Duration::from_millis(300)).await;
            sleep(TTL).await;

            assert!(permit.is_held());
            permit.release().await.unwrap();
            let dead = dying.acquire_owned().await.unwrap();
            dying.client().backend().process().kill();
            let died = sim.now();
            let next = holding.acquire_owned().await.unwrap();
            let took = sim.now() - died;

            assert!(next.token() > dead.token());
            assert!(
                (TTL..TTL * 5 / 4 + Duration::from_millis(50)).contains(&took),
                "{took:?}"
            );
        });
    }
}

#[test]
fn where_nobody_looks_a_dead_lease_lasts_up_to_one_ttl_from_the_next_look() {
    in_world(|sim| async move {
        let (dying, trying) = (
            semaphore(&sim, LeaseTime::Stepless),
            semaphore(&sim, LeaseTime::Stepless),
        );
        let dead = dying.acquire_owned().await.unwrap();
        dying.client().backend().process().kill();
        sleep(TTL * 20).await;
        let looked = sim.now();
        assert!(
            trying.try_acquire().await.unwrap().is_none(),
            "the clock has gone on by a quarter of the ttl"
        );

        let next = trying.acquire().await.unwrap();

        assert!(next.token() > dead.token());
        assert!(
            sim.now() - looked <= TTL + Duration::from_millis(50),
            "{:?}",
            sim.now() - looked
        );
    });
}

#[test]
fn a_status_tells_when_a_lease_ends_by_the_servers_clock() {
    in_world(|sim| async move {
        let holding = semaphore(&sim, LeaseTime::Stepless);
        let permit = holding.acquire_owned().await.unwrap();
        sim.server().step_clock_us(HOUR_US);
        permit.refresh().await.unwrap();

        let status = holding.status().await.unwrap();
        let [holder] = &status.holders[..] else {
            panic!("one holds")
        };
        let left = Duration::from_micros(holder.expires.as_micros() - status.now.as_micros());

        assert!((TTL..TTL * 5 / 4).contains(&left), "{left:?}");
        let age_us = sim.server().time().as_micros() - status.now.as_micros();
        assert!(age_us < 10_000, "{age_us}");
    });
}

/// Who believes to hold, and whether two ever did at once.
#[derive(Debug, Default)]
struct Belief {
    holder: Option<u32>,
    overlaps: u32,
    turns: u32,
}

impl Belief {
    fn enter(&mut self, who: u32) {
        self.overlaps += u32::from(self.holder.is_some());
        self.holder = Some(who);
        self.turns += 1;
    }

    fn leave(&mut self, who: u32) {
        if self.holder == Some(who) {
            self.holder = None;
        }
    }
}

/// Holds for a while, at times beyond a cut that lasts longer than a lease.
async fn hold(permit: &Permit<'_>, semaphore: &Semaphore, random: &mut Random) {
    let process = semaphore.client().backend().process();
    let is_cut = random.chance(30);
    if is_cut {
        process.partition();
    }
    let length = Duration::from_millis(random.below(3_000));
    let ended = tokio::time::timeout(length, permit.lost()).await;
    if is_cut {
        if ended.is_err() {
            permit.lost().await;
        }
        process.repair();
    }
}

#[test]
fn over_many_steps_no_two_ever_believe_to_hold_and_everybody_has_turns() {
    for (seed, strategy) in (0..6).zip([Strategy::Queue, Strategy::Notify, Strategy::Poll].into_iter().cycle()) {
        run_with_replicas(seed, 1, |sim| async move {
            let believed = Arc::new(Mutex::new(Belief::default()));
            let end = sim.now() + TTL * 40;
            let workers = (0..3).map(|who| {
                let (sim, believed) = (sim.clone(), Arc::clone(&believed));
                tokio::spawn(async move {
                    let mut random = Random::new(sim.seed() * 10 + u64::from(who));
                    let semaphore = sim.client().semaphore("name", 1).ttl(TTL).strategy(strategy);
                    let semaphore = semaphore.lease_time(LeaseTime::Stepless).build().unwrap();
                    while sim.now() < end {
                        let permit = semaphore.acquire().await.unwrap();
                        believed.lock().unwrap().enter(who);
                        hold(&permit, &semaphore, &mut random).await;
                        believed.lock().unwrap().leave(who);
                        permit.release().await.ok();
                    }
                })
            });
            let workers: Vec<_> = workers.collect();
            let mut random = Random::new(sim.seed());
            while sim.now() < end {
                sleep(TTL + Duration::from_millis(random.below(8_000))).await;
                let index = usize::try_from(random.below(STEPS_US.len() as u64)).unwrap();
                sim.server().step_clock_us(STEPS_US[index]);
            }
            for worker in workers {
                worker.await.unwrap();
            }

            let believed = believed.lock().unwrap();
            assert_eq!(believed.overlaps, 0, "{believed:?}");
            assert!(believed.turns > 20, "{believed:?}");
        });
    }
}

#[test]
fn a_loss_is_told_as_ever() {
    in_world(|sim| async move {
        let holding = semaphore(&sim, LeaseTime::Stepless);
        let permit = holding.acquire_owned().await.unwrap();
        sim.server().delete("{semafence:name}:state");

        assert_eq!(permit.lost().await, LossReason::Forgotten);
    });
}
