//! What clients do when messages are lost or late, processes stop and clocks differ: on the simulator, in virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use semafence::{Error, Fence, LeaseTime, LossReason, Standing, Strategy};
use semafence_sim::{Client, Direction, Link, Message, NoFaults, Sim, Verdict};

const TTL: Duration = Duration::from_secs(3);
const MILLISECOND: Duration = Duration::from_millis(1);

fn mutex(client: &Client) -> semafence_sim::Mutex {
    client.mutex("name").ttl(TTL).build().unwrap()
}

async fn held_and_waiting(sim: &Sim) -> (u64, u64) {
    let status = sim.client().status("name").await.unwrap();
    (status.holders_total, status.waiters_total)
}

/// For every seed a world of its own: other latencies, other ids. `SEMAFENCE_SEEDS` says how many; default 20.
fn on_seeds<F: Future<Output = ()>>(scenario: impl Fn(Sim) -> F) {
    let seeds = std::env::var("SEMAFENCE_SEEDS").map_or(20, |text| text.parse().expect("a number of seeds"));
    for seed in 1..=seeds {
        semafence_sim::run(seed, &scenario);
    }
}

/// SCENARIOS 20.
#[test]
fn a_release_that_passes_a_refresh_on_its_way_loses_nothing_and_renews_no_ghost() {
    on_seeds(|sim| async move {
        let losses = Arc::new(Mutex::new(0));
        let told = Arc::clone(&losses);
        let client = sim
            .client_builder()
            .on_lost(move |_| *told.lock().unwrap() += 1)
            .build()
            .unwrap();
        let mutex = mutex(&client);
        let permit = mutex.lock().await.unwrap();
        client.backend().process().hold(Link::Keeper, Direction::Request);
        tokio::time::sleep(TTL / 3 + TTL / 20).await;

        assert_eq!(permit.release().await.unwrap(), Standing::Held);
        client.backend().process().deliver();
        tokio::time::sleep(TTL).await;

        assert_eq!(held_and_waiting(&sim).await, (0, 0));
        assert_eq!(*losses.lock().unwrap(), 0);
    });
}

/// SCENARIOS 30: the server forgets the grant, and a late copy of the acquire has it give another one.
#[test]
fn a_refresh_by_hand_does_not_take_a_grant_that_nobody_knows_of_for_the_permit() {
    on_seeds(|sim| async move {
        let late = |message: &Message| match message.direction {
            Direction::Request if message.link == Link::Commands => Verdict::Duplicate(Duration::from_millis(100)),
            _ => Verdict::Deliver,
        };
        sim.set_faults(late);
        let mutex = mutex(&sim.client());
        let permit = mutex.lock().await.unwrap();
        sim.set_faults(NoFaults);
        sim.server().flush_all();
        tokio::time::sleep(Duration::from_millis(150)).await;
        assert_eq!(held_and_waiting(&sim).await, (1, 0), "the late copy is granted");

        assert_eq!(permit.refresh().await.unwrap(), Standing::Absent);

        assert_eq!(permit.lost().await, LossReason::Forgotten);
    });
}

/// SCENARIOS 25, 62: dropped at every millisecond of its life, also while queued and while the grant is on its way.
#[test]
fn an_acquire_dropped_at_any_moment_leaves_nothing_behind() {
    for strategy in [Strategy::Queue, Strategy::Notify, Strategy::Poll] {
        on_seeds(|sim| async move {
            let (holder, waiter) = (sim.client(), sim.client());
            for moment in 0..40 {
                let permit = mutex(&holder).lock_owned().await.unwrap();
                let mutex = waiter.mutex("name").ttl(TTL).strategy(strategy).build().unwrap();
                let releases = async {
                    tokio::time::sleep(MILLISECOND * 15).await;
                    permit.release().await.unwrap();
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    biased;
                    permit = mutex.lock() => drop(permit.unwrap()),
                    () = tokio::time::sleep(MILLISECOND * moment) => {}
                    () = releases => {}
                }
                tokio::time::sleep(MILLISECOND * 50).await;

                assert_eq!(
                    held_and_waiting(&sim).await,
                    (0, 0),
                    "dropped after {moment} ms with {strategy:?}"
                );
            }
        });
    }
}

/// SCENARIOS 26.
#[test]
fn an_acquire_whose_reply_was_lost_takes_one_permit() {
    on_seeds(|sim| async move {
        let client = sim.client();
        client
            .backend()
            .process()
            .drop_next(Link::Commands, Direction::Reply, 2);

        let permit = mutex(&client).lock_owned().await.unwrap();

        let status = client.status("name").await.unwrap();
        assert_eq!((status.used(), status.token), (1, Some(permit.token())));
        assert_eq!(status.holders[0].holder, permit.holder());
        assert_eq!(permit.release().await.unwrap(), Standing::Held);
        assert_eq!(held_and_waiting(&sim).await, (0, 0));
    });
}

/// SCENARIOS 27, 61.
#[test]
fn a_release_whose_reply_was_lost_is_sent_again_and_wakes_the_next() {
    on_seeds(|sim| async move {
        let (first, second) = (sim.client(), sim.client());
        let permit = mutex(&first).lock_owned().await.unwrap();
        let waiting = mutex(&second);
        let waiter = tokio::spawn(async move { waiting.lock_owned().await.unwrap() });
        tokio::time::sleep(MILLISECOND * 50).await;
        first.backend().process().drop_next(Link::Commands, Direction::Reply, 1);
        let start = sim.now();

        let released = tokio::spawn(permit.release());
        let next = waiter.await.unwrap();
        assert!(sim.now() - start < MILLISECOND * 50, "woken by the first copy");
        let answer = released.await.unwrap();

        assert!(
            matches!(answer, Ok(Standing::Held) | Err(Error::Backend { .. })),
            "{answer:?}"
        );
        tokio::time::sleep(TTL).await;
        assert!(next.is_held());
    });
}

/// SCENARIOS 28.
#[test]
fn a_request_that_arrives_after_its_client_gave_up_takes_nothing() {
    on_seeds(|sim| async move {
        let client = sim.client();
        client.backend().process().hold(Link::Commands, Direction::Request);
        let error = mutex(&client).lock_timeout(TTL / 10).await.unwrap_err();
        assert!(matches!(error, Error::TimedOut { .. }), "{error}");
        tokio::time::sleep(MILLISECOND * 50).await;

        client.backend().process().deliver();
        tokio::time::sleep(MILLISECOND * 10).await;

        assert_eq!(held_and_waiting(&sim).await, (0, 0));
        assert!(mutex(&sim.client()).try_lock().await.unwrap().is_some());
    });
}

/// SCENARIOS 35, 47: server time is the default.
#[test]
fn a_wall_clock_that_is_hours_off_or_jumps_has_no_effect() {
    on_seeds(|sim| async move {
        let (first, second) = (sim.client(), sim.client());
        let hour_us = 3_600_000_000;
        first.clock().step_wall_us(-5 * hour_us);
        second.clock().step_wall_us(5 * hour_us);
        let permit = mutex(&first).lock_owned().await.unwrap();

        for _ in 0..10 {
            tokio::time::sleep(TTL / 2).await;
            first.clock().step_wall_us(hour_us);
            assert!(mutex(&second).try_lock().await.unwrap().is_none());
            second.status("name").await.unwrap();
        }

        assert!(permit.is_held());
    });
}

/// SCENARIOS 36: the documented bound of server time. A step forward ends every lease at once, and its holder is told at
/// its next refresh; a step back makes leases of the dead last longer, and takes nothing from the living.
#[test]
fn a_server_clock_that_steps_is_told_within_a_refresh_interval() {
    on_seeds(|sim| async move {
        let (first, second) = (sim.client(), sim.client());
        let stale = mutex(&first).lock_owned().await.unwrap();
        sim.server().step_clock_us(3_600_000_000);
        let start = sim.now();

        let fresh = mutex(&second).lock_owned().await.unwrap();
        assert_eq!(stale.lost().await, LossReason::Forgotten);

        assert!(
            sim.now() - start < TTL / 3 + MILLISECOND * 50,
            "{:?}",
            sim.now() - start
        );
        assert!(fresh.token() > stale.token(), "the resource tells them apart");
        sim.server().step_clock_us(-3_600_000_000);
        tokio::time::sleep(TTL * 4).await;
        assert!(fresh.is_held());
    });
}

/// SCENARIOS 47: what client time costs, as its documentation says.
#[test]
fn with_client_time_exclusion_holds_only_as_far_as_the_clocks_agree() {
    semafence_sim::run(1, |sim| async move {
        let (first, second) = (sim.client(), sim.client());
        let by_clients = |client: &Client| {
            client
                .mutex("name")
                .ttl(TTL)
                .lease_time(LeaseTime::Client)
                .build()
                .unwrap()
        };
        let _permit = by_clients(&first).lock_owned().await.unwrap();
        assert!(by_clients(&second).try_lock().await.unwrap().is_none());

        second.clock().step_wall_us(60_000_000);

        assert!(
            by_clients(&second).try_lock().await.unwrap().is_some(),
            "a clock a minute ahead sees it over"
        );
    });
}

/// DESIGN "Lease clock": the margin is for drift. Clocks that run apart by 1 % either way, and a holder that is cut off.
#[test]
fn a_holder_that_is_cut_off_is_told_before_its_permit_can_go_to_another() {
    for (holder_ppm, server_ppm) in [(0, 0), (-5_000, 5_000), (5_000, -5_000), (-9_900, 0)] {
        on_seeds(|sim| async move {
            let (first, second) = (sim.client(), sim.client());
            first.clock().set_drift_ppm(holder_ppm);
            sim.server().set_drift_ppm(server_ppm);
            let permit = mutex(&first).lock_owned().await.unwrap();
            let waiting = mutex(&second);
            let next = tokio::spawn(async move { waiting.lock_owned().await.unwrap() });
            tokio::time::sleep(TTL * 5 / 2).await;
            first.backend().process().partition();

            let reason = permit.lost().await;

            assert_eq!(reason, LossReason::Expired);
            assert!(
                !next.is_finished(),
                "told at {:?}, and another holds already",
                sim.now()
            );
            let told_at = sim.now();
            let _next = next.await.unwrap();
            assert!(sim.now() - told_at < TTL / 2, "and the permit goes on soon after");
        });
    }
}

/// SCENARIOS 37.
#[test]
fn a_process_that_was_paused_beyond_its_lease_knows_at_once_and_is_fenced_off() {
    on_seeds(|sim| async move {
        let (first, second) = (sim.client(), sim.client());
        let mut fence = Fence::new();
        let stale = mutex(&first).lock_owned().await.unwrap();
        fence.admit(stale.slot(), stale.token()).unwrap();
        first.backend().process().pause();

        let fresh = mutex(&second).lock_owned().await.unwrap();
        fence.admit(fresh.slot(), fresh.token()).unwrap();
        first.backend().process().resume();

        assert!(!stale.is_held());
        assert_eq!(stale.remaining(), Duration::ZERO);
        let refusal = fence.admit(stale.slot(), stale.token()).unwrap_err();
        assert_eq!(refusal.newest, fresh.token());
        assert_eq!(stale.lost().await, LossReason::Expired);
        drop(stale);
        tokio::time::sleep(TTL * 2).await;
        assert!(fresh.is_held(), "what the late one gives back is not the other's");
    });
}

/// SCENARIOS 49: a predecessor returns success with a lease that is over.
#[test]
fn a_grant_whose_reply_comes_after_its_lease_is_not_returned_as_held() {
    on_seeds(|sim| async move {
        let client = sim.client();
        let ttl = Duration::from_millis(100);
        let mutex = client.mutex("name").ttl(ttl).build().unwrap();
        client.backend().process().hold(Link::Commands, Direction::Reply);
        let acquiring = tokio::spawn(async move { mutex.lock_owned().await.unwrap() });
        tokio::time::sleep(ttl * 3).await;
        client.backend().process().deliver();

        let permit = acquiring.await.unwrap();

        assert!(permit.is_held());
        assert!(permit.remaining() > ttl / 2);
        assert_eq!(held_and_waiting(&sim).await, (1, 0));
    });
}

/// SCENARIOS 52: in a predecessor strict mode raises nowhere.
#[test]
fn strict_mode_makes_operations_on_a_lost_permit_errors() {
    semafence_sim::run(1, |sim| async move {
        let client = sim.client();
        for strict in [false, true] {
            let semaphore = client.semaphore("name", 2).ttl(TTL).strict(strict).build().unwrap();
            let permits = [semaphore.acquire().await.unwrap(), semaphore.acquire().await.unwrap()];
            sim.server().flush_all();
            permits[0].lost().await;
            permits[1].lost().await;
            let [first, second] = permits;

            let answers = [first.refresh().await, first.release().await, second.release().await];

            for answer in answers {
                if strict {
                    assert!(
                        matches!(
                            answer,
                            Err(Error::Lost {
                                reason: LossReason::Forgotten,
                                ..
                            })
                        ),
                        "{answer:?}"
                    );
                } else {
                    assert_eq!(answer.unwrap(), Standing::Absent);
                }
            }
        }
    });
}

/// SCENARIOS 9, 12, 64: a predecessor has 71 of 190 inversions once holds last longer than its fallback interval.
#[test]
fn order_holds_beyond_the_fallback_interval_and_when_some_give_up() {
    on_seeds(|sim| async move {
        let served = Arc::new(Mutex::new(Vec::new()));
        let holder = sim.client();
        let permit = mutex(&holder).lock_owned().await.unwrap();
        let mut waiters = Vec::new();
        for number in 0..12 {
            let client = if number % 2 == 0 { holder.clone() } else { sim.client() };
            let served = Arc::clone(&served);
            waiters.push(tokio::spawn(async move {
                let mutex = client
                    .mutex("name")
                    .ttl(TTL)
                    .wakeup_fallback(Duration::from_secs(1))
                    .build()
                    .unwrap();
                let patience = Duration::from_secs(if number % 4 == 3 { 9 } else { 600 });
                if let Ok(permit) = mutex.lock_timeout(patience).await {
                    served.lock().unwrap().push(number);
                    tokio::time::sleep(Duration::from_secs(10)).await;
                    drop(permit);
                }
            }));
            tokio::time::sleep(MILLISECOND * 20).await;
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        drop(permit);
        for waiter in waiters {
            waiter.await.unwrap();
        }

        assert_eq!(*served.lock().unwrap(), [0, 1, 2, 4, 5, 6, 8, 9, 10]);
    });
}

/// SCENARIOS 14, 60: the message of a hand-off is lost, and so are those after it.
#[test]
fn a_lost_message_costs_a_look_and_nobody_hangs() {
    for strategy in [Strategy::Queue, Strategy::Notify] {
        on_seeds(|sim| async move {
            let (first, second) = (sim.client(), sim.client());
            let permit = mutex(&first).lock_owned().await.unwrap();
            let waiters: Vec<_> = (0..3)
                .map(|_| {
                    let mutex = second.mutex("name").ttl(TTL).strategy(strategy).build().unwrap();
                    tokio::spawn(async move { mutex.lock_owned().await.unwrap().release().await.unwrap() })
                })
                .collect();
            tokio::time::sleep(MILLISECOND * 100).await;
            second.backend().process().cut(Link::Push, Direction::Reply);
            let start = sim.now();

            permit.release().await.unwrap();
            for waiter in waiters {
                waiter.await.unwrap();
            }

            // A look per waiter: at most the fallback interval of 5 s each, and a claim window that nobody confirmed.
            assert!(
                sim.now() - start < Duration::from_secs(20),
                "{strategy:?}: {:?}",
                sim.now() - start
            );
        });
    }
}

/// SCENARIOS 58, 14: everything is cut for longer than a lease, and then heals.
#[test]
fn waiters_and_holders_go_on_after_a_partition() {
    on_seeds(|sim| async move {
        let (first, second) = (sim.client(), sim.client());
        let permit = mutex(&first).lock_owned().await.unwrap();
        let waiting = mutex(&second);
        let waiter = tokio::spawn(async move { waiting.lock_owned().await.unwrap() });
        tokio::time::sleep(MILLISECOND * 100).await;

        second.backend().process().partition();
        tokio::time::sleep(TTL * 10).await;
        assert!(permit.is_held());
        permit.release().await.unwrap();
        second.backend().process().repair();
        let start = sim.now();

        let next = waiter.await.unwrap();
        assert!(sim.now() - start < Duration::from_secs(5), "{:?}", sim.now() - start);
        assert!(next.is_held());
    });
}

/// SCENARIOS 17, 33, 58: an attempt that took its time to fail is followed by the next at once, whenever the server is back.
#[test]
fn a_server_that_is_there_again_is_found_within_the_time_of_one_attempt() {
    const TTL: Duration = Duration::from_secs(24);
    const ATTEMPT: Duration = Duration::from_millis(2_100);
    for away in (4_500..7_000).step_by(100).map(Duration::from_millis) {
        semafence_sim::run(1, |sim| async move {
            let (holder, waiter) = (sim.client(), sim.client());
            let kept = holder
                .mutex("kept")
                .ttl(TTL)
                .build()
                .unwrap()
                .lock_owned()
                .await
                .unwrap();
            tokio::time::sleep(TTL / 3 - MILLISECOND * 10).await;

            let processes = [&holder, &waiter].map(|client| client.backend().process());
            processes.iter().for_each(|process| process.partition());
            let free = waiter.mutex("free").ttl(TTL).build().unwrap();
            let waits = tokio::spawn(async move { free.lock_owned().await.unwrap() });
            tokio::time::sleep(away).await;
            processes.iter().for_each(|process| process.repair());
            let start = sim.now();
            let _granted = waits.await.unwrap();
            let granted = sim.now() - start;
            tokio::time::sleep(ATTEMPT.saturating_sub(granted)).await;

            assert!(granted < ATTEMPT, "away for {away:?}: granted after {granted:?}");
            assert!(kept.remaining() > TTL * 9 / 10, "away for {away:?}: not refreshed");
        });
    }
}

/// SCENARIOS 56, 70: a predecessor's wait of 12 s takes 20–60 s.
#[test]
fn a_timed_wait_ends_in_time_whatever_the_server_does() {
    for strategy in [Strategy::Queue, Strategy::Notify, Strategy::Poll] {
        semafence_sim::run(1, |sim| async move {
            let client = sim.client();
            let mutex = client.mutex("name").strategy(strategy).build().unwrap();
            client.backend().process().partition();
            let start = sim.now();

            let error = mutex.lock_timeout(Duration::from_secs(12)).await.unwrap_err();

            let waited = sim.now() - start;
            assert!(waited < Duration::from_millis(12_100), "{strategy:?}: {waited:?}");
            assert!(matches!(error, Error::Backend { .. }), "the backend was away: {error}");
            assert!(error.is_transient());
        });
    }
}

/// SCENARIOS 40: one verb serves 64 waiters at most, and those pass it on.
#[test]
fn raising_the_limit_far_serves_everyone_at_once() {
    for strategy in [Strategy::Queue, Strategy::Notify] {
        semafence_sim::run(1, |sim| async move {
            let client = sim.client();
            let semaphore = client.semaphore("name", 1).ttl(TTL).strategy(strategy).build().unwrap();
            let _permit = semaphore.acquire().await.unwrap();
            let waiters: Vec<_> = (0..300)
                .map(|_| {
                    let semaphore = semaphore.clone();
                    tokio::spawn(async move { semaphore.acquire_owned().await.unwrap() })
                })
                .collect();
            tokio::time::sleep(MILLISECOND * 500).await;
            assert_eq!(held_and_waiting(&sim).await, (1, 300));
            let start = sim.now();

            client.resize("name", Some(301)).await.unwrap();
            let permits = futures::future::join_all(waiters).await;

            assert_eq!(permits.len(), 300);
            assert!(
                sim.now() - start < MILLISECOND * 500,
                "{strategy:?}: {:?}",
                sim.now() - start
            );
        });
    }
}

/// SCENARIOS 50, 26: ids are fresh for each acquisition, so nothing is ever taken for a retry of another.
#[test]
fn acquisitions_of_one_client_are_different_holders() {
    semafence_sim::run(1, |sim| async move {
        let semaphore = sim.client().semaphore("name", 3).build().unwrap();
        let permits = [
            semaphore.acquire().await,
            semaphore.acquire().await,
            semaphore.acquire().await,
        ];
        let mut holders: Vec<_> = permits.iter().flatten().map(semafence::Permit::holder).collect();
        holders.sort();
        holders.dedup();

        assert_eq!(holders.len(), 3);
    });
}

/// The same seed gives the same run, to the last line of its trace.
#[test]
fn a_run_repeats_to_the_letter() {
    let trace = |seed| {
        semafence_sim::run(seed, |sim| async move {
            let tasks: Vec<_> = (0..8)
                .map(|_| {
                    let mutex = mutex(&sim.client());
                    tokio::spawn(async move {
                        for _ in 0..5 {
                            let permit = mutex.lock().await.unwrap();
                            tokio::time::sleep(TTL).await;
                            drop(permit);
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.unwrap();
            }
            sim.trace()
        })
    };

    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}
