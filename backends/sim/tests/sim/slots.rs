//! Slots, weights and large numbers.

use std::time::Duration;

use semafence::{Attempt, Claim, LockBackend, Queueing, Standing};
use semafence_sim::run;

use crate::support::{Bench, sleep};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn the_lowest_free_slots_are_taken_first() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 6);
        assert_eq!(bench.grant(&bench.weighing(1, 2)).await.slots, [0, 1]);
        assert_eq!(bench.grant(&bench.weighing(2, 1)).await.slots, [2]);
        assert_eq!(bench.grant(&bench.weighing(3, 2)).await.slots, [3, 4]);
        bench.release(&bench.claim(1)).await;
        bench.release(&bench.claim(3)).await;

        let grant = bench.grant(&bench.weighing(4, 5)).await;

        assert_eq!(grant.slots, [0, 1, 3, 4, 5]);
        assert!(bench.is_busy(&bench.claim(5)).await);
        bench.release(&bench.claim(4)).await;
        bench.release(&bench.claim(2)).await;
        assert_eq!(bench.grant(&bench.claim(6)).await.slots, [0]);
    });
}

#[test]
fn the_largest_limit_in_one_piece_and_in_a_thousand() {
    const LIMIT: u32 = 65_536;
    run(1, |sim| async move {
        let mut bench = Bench::new(&sim, LIMIT);
        bench.ttl = HOUR;
        let everything = bench.weighing(1, LIMIT);
        let grant = bench.grant(&everything).await;
        assert!(grant.slots.iter().copied().eq(0..LIMIT));
        assert!(bench.is_busy(&bench.claim(2)).await);
        bench.release(&everything).await;

        // Every other piece is given back, so that the rest is scattered over a thousand ranges.
        let pieces: Vec<Claim> = (0..2_048).map(|piece| bench.weighing(100 + piece, 32)).collect();
        for piece in &pieces {
            bench.grant(piece).await;
        }
        for piece in pieces.iter().step_by(2) {
            bench.release(piece).await;
        }
        let half = bench.grant(&bench.weighing(3, LIMIT / 2)).await;

        assert!(half.slots.iter().copied().eq((0..LIMIT).filter(|slot| slot % 64 < 32)));
        assert_eq!(bench.refresh(&bench.claim(3)).await, Standing::Held);
        bench.release(&bench.claim(3)).await;
        for piece in pieces.iter().skip(1).step_by(2) {
            bench.release(piece).await;
        }
        assert_eq!(bench.grant(&everything).await.slots.len(), LIMIT as usize);
    });
}

#[test]
fn ten_thousand_leases_are_kept_and_ended_by_one_refresh() {
    run(1, |sim| async move {
        let mut bench = Bench::new(&sim, 10_000);
        bench.ttl = HOUR;
        let claims: Vec<Claim> = (0..10_000).map(|holder| bench.claim(holder)).collect();
        for claim in &claims {
            bench.grant(claim).await;
        }

        let standings = bench.backend.refresh(&claims).await;
        let held = standings
            .iter()
            .filter(|standing| matches!(standing, Ok(Standing::Held)))
            .count();
        sleep(HOUR * 2).await;
        let standings = bench.backend.refresh(&claims).await;
        let absent = standings
            .iter()
            .filter(|standing| matches!(standing, Ok(Standing::Absent)))
            .count();

        assert_eq!((held, absent), (10_000, 10_000));
        assert_eq!(bench.status().await.holders_total, 0);
        assert_eq!(bench.grant(&bench.weighing(1, 10_000)).await.slots.len(), 10_000);
    });
}

#[test]
fn a_weight_waits_until_all_of_it_fits_and_nobody_passes() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 4);
        bench.grant(&bench.weighing(1, 2)).await;
        bench.grant(&bench.weighing(2, 1)).await;
        bench.queue(&bench.weighing(3, 3)).await;

        assert!(
            bench.is_busy(&bench.claim(4)).await,
            "a newcomer does not take what the head waits for"
        );
        bench.queue(&bench.claim(5)).await;
        bench.release(&bench.claim(2)).await;
        assert_eq!(bench.status().await.waiters_total, 2);
        bench.release(&bench.claim(1)).await;

        let status = bench.status().await;
        assert_eq!((status.holders_total, status.waiters_total, status.used()), (2, 0, 4));
        assert!(matches!(
            bench.attempt(&bench.weighing(6, 5), Queueing::HandOff).await,
            Attempt::Oversized { limit: 4 }
        ));
    });
}
