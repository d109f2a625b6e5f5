//! Keys that an eviction or an operator has deleted: nothing is blocked for ever, and nothing is granted twice.

use semafence::{Attempt, Queueing, Standing};
use semafence_sim::run;

use crate::support::{Bench, PATIENCE, TTL, id, sleep};

#[test]
fn a_lost_key_of_leases_frees_its_slots_once_and_not_twice() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        bench.grant(&bench.claim(1)).await;
        bench.server.delete(&bench.key("leases"));

        let slots = bench.grant(&bench.claim(2)).await.slots;
        assert_eq!(slots, [0]);
        assert_eq!(bench.refresh(&bench.claim(1)).await, Standing::Absent);
        assert!(
            bench.is_busy(&bench.claim(3)).await,
            "the slot of holder 2 was given away"
        );
        assert_eq!(bench.release(&bench.claim(1)).await, Standing::Absent);

        assert!(
            bench.is_busy(&bench.claim(3)).await,
            "the slot of holder 2 was given away"
        );
        assert_eq!(bench.refresh(&bench.claim(2)).await, Standing::Held);
        bench.release(&bench.claim(2)).await;
        assert_eq!(bench.grant(&bench.claim(3)).await.slots, [0]);
    });
}

#[test]
fn a_lost_key_of_leases_is_noticed_behind_a_tombstone() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        bench.grant(&bench.claim(1)).await;
        bench.grant(&bench.claim(2)).await;
        bench.server.delete(&bench.key("leases"));
        let mut doubtful = bench.claim(1);
        doubtful.doubtful = true;

        bench.release(&doubtful).await;

        assert_eq!(bench.grant(&bench.claim(3)).await.slots, [0]);
        assert_eq!(bench.grant(&bench.claim(4)).await.slots, [1]);
    });
}

#[test]
fn a_lost_queue_blocks_nobody() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        bench.grant(&bench.claim(1)).await;
        for waiter in 2..5 {
            bench.queue(&bench.claim(waiter)).await;
        }
        bench.server.delete(&bench.key("queue"));

        bench.queue(&bench.claim(5)).await;
        bench.release(&bench.claim(2)).await;
        bench.release(&bench.claim(3)).await;
        bench.release(&bench.claim(1)).await;

        assert_eq!(bench.holders().await, [id(5)], "the one in the queue is served");
        assert_eq!(
            bench.queue(&bench.claim(4)).await,
            1,
            "one whose place was lost gets another"
        );
        bench.release(&bench.claim(5)).await;
        assert_eq!(bench.holders().await, [id(4)]);
    });
}

#[test]
fn a_lost_key_of_inboxes_costs_a_place_and_blocks_nobody() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        bench.grant(&bench.claim(1)).await;
        bench.queue(&bench.claim(2)).await;
        bench.server.delete(&bench.key("inboxes"));

        bench.release(&bench.claim(1)).await;

        assert!(matches!(
            bench.attempt(&bench.claim(2), Queueing::HandOff).await,
            Attempt::Granted(_)
        ));
    });
}

#[test]
fn a_lost_key_of_free_slots_never_makes_a_slot_beyond_the_limit() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 3);
        for holder in 1..4 {
            bench.grant(&bench.claim(holder)).await;
        }
        bench.release(&bench.claim(1)).await;
        bench.release(&bench.claim(2)).await;
        bench.server.delete(&bench.key("free"));

        let mut slots = bench.grant(&bench.weighing(4, 2)).await.slots;
        slots.extend(bench.status().await.holders[0].slots.clone());
        slots.sort_unstable();

        assert_eq!(bench.status().await.used(), 3);
        assert_eq!(slots[..2], [0, 1], "{slots:?}");
    });
}

#[test]
fn a_lost_state_key_starts_afresh_and_its_tokens_still_grow() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        let before = bench.grant(&bench.claim(1)).await;
        for holder in 10..200 {
            let claim = bench.claim(holder);
            bench.grant(&claim).await;
            bench.release(&claim).await;
        }
        let last = bench.grant(&bench.claim(2)).await;
        bench.queue(&bench.claim(3)).await;
        bench.server.delete(&bench.key("state"));

        let after = bench.grant(&bench.claim(4)).await;

        assert!(before.token < last.token && last.token < after.token);
        assert_eq!(after.slots, [0]);
        assert_eq!(bench.refresh(&bench.claim(1)).await, Standing::Absent);
        assert_eq!(bench.holders().await, [id(4)]);
        assert_eq!(bench.status().await.waiters_total, 0);
    });
}

#[test]
fn losing_any_one_key_at_any_time_heals_within_a_lease() {
    for part in ["state", "leases", "free", "queue", "wake", "inboxes"] {
        for queueing in [Queueing::HandOff, Queueing::WakeUp] {
            run(1, |sim| async move {
                let bench = Bench::new(&sim, 2);
                for holder in 1..6 {
                    bench.attempt(&bench.claim(holder), queueing).await;
                }
                bench.release(&bench.claim(1)).await;
                bench.server.delete(&bench.key(part));
                bench.attempt(&bench.claim(6), queueing).await;
                sleep(TTL + PATIENCE).await;

                let grants = [bench.grant(&bench.claim(7)).await, bench.grant(&bench.claim(8)).await];

                assert_eq!(
                    [&grants[0].slots[..], &grants[1].slots[..]],
                    [[0], [1]],
                    "{part} {queueing:?}"
                );
                assert_eq!(bench.status().await.used(), 2);
                bench.assert_every_key_ends();
            });
        }
    }
}

/// The explorer found this: after a server had stood still for long, a waiter's own look dropped it from the queue.
#[test]
fn a_waiter_that_asks_late_keeps_its_place_if_it_asks_first() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let other = Bench::new(&sim, 1);
        let mut long = bench.claim(1);
        long.ttl = PATIENCE;
        bench.grant(&long).await;
        bench.queue(&bench.claim(2)).await;
        sleep(PATIENCE / 2).await;
        other.queue(&other.claim(3)).await;
        sleep(PATIENCE / 2 + TTL).await;

        bench.attempt(&bench.claim(2), Queueing::HandOff).await;

        assert_eq!(bench.holders().await, [id(2)]);
    });
}
