//! Fencing tokens grow, whatever befalls the server.

use std::time::Duration;

use semafence::FencingToken;
use semafence_sim::{Persistence, Sim, run};

use crate::support::{Bench, sleep};

/// Grants over and over, with a `disaster` every five seconds, and checks that every token is larger than all before.
fn tokens_grow_through(disaster: impl Fn(&Sim, u64) + Copy) {
    tokens_grow_through_one_each(Duration::from_secs(5), disaster);
}

fn tokens_grow_through_one_each(interval: Duration, disaster: impl Fn(&Sim, u64) + Copy) {
    for seed in 0..20 {
        run(seed, |sim| async move {
            let benches = [Bench::named(&sim, 1, "old"), Bench::named(&sim, 1, "older")];
            let mut last = [FencingToken::from_u64(0); 2];
            let mut holder = 0;
            for round in 0..6 {
                for (bench, last) in benches.iter().zip(&mut last) {
                    for _ in 0..3 {
                        holder += 1;
                        let claim = bench.claim(holder);
                        let token = bench.grant(&claim).await.token;
                        assert!(token > *last, "{token} after {last} in round {round}");
                        assert!(token.as_u64() < 1 << 53, "{token} is not exact in Lua");
                        *last = token;
                        bench.release(&claim).await;
                    }
                }
                disaster(&sim, round);
                sleep(interval).await;
            }
        });
    }
}

#[test]
fn tokens_grow_through_restarts_without_data() {
    tokens_grow_through(|sim, _| sim.server().restart(Persistence::Lost));
}

#[test]
fn tokens_grow_through_restarts_with_data() {
    tokens_grow_through(|sim, _| sim.server().restart(Persistence::Kept));
}

#[test]
fn tokens_grow_through_restarts_with_older_data() {
    tokens_grow_through(|sim, round| {
        if round % 2 == 0 {
            sim.server().save();
        } else {
            sim.server().restart(Persistence::Saved);
        }
    });
}

#[test]
fn tokens_grow_through_restarts_of_either_kind_with_a_clock_that_is_an_hour_off() {
    // A generation is 71 minutes ahead of the clock. Data that is lost twice within that time leaves less of a margin.
    tokens_grow_through_one_each(Duration::from_secs(3 * 3600), |sim, round| {
        let back = if round % 2 == 0 { -3_600_000_000 } else { 3_600_000_000 };
        sim.server().step_clock_us(back);
        sim.server().restart(if round % 3 == 0 {
            Persistence::Kept
        } else {
            Persistence::Lost
        });
    });
}

#[test]
fn tokens_grow_through_flushes() {
    tokens_grow_through(|sim, _| sim.server().flush_all());
}

#[test]
fn tokens_grow_through_evictions_of_their_record() {
    tokens_grow_through(|sim, round| {
        let server = sim.server();
        for name in ["old", "older"] {
            server.delete(&format!("{{test:{name}}}:state"));
        }
        if round == 3 {
            server.delete("semafence:generation");
        }
    });
}

#[test]
fn tokens_grow_through_steps_of_the_clock() {
    tokens_grow_through(|sim, round| {
        let hour_us = 3_600_000_000;
        sim.server()
            .step_clock_us([hour_us, -hour_us, -hour_us, hour_us * 30, -hour_us * 60, 0][round as usize]);
    });
}

#[test]
fn tokens_grow_past_the_end_of_their_keys() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let mut last = FencingToken::from_u64(0);
        for holder in 0..5 {
            let claim = bench.claim(holder);
            let token = bench.grant(&claim).await.token;
            assert!(token > last);
            last = token;
            bench.release(&claim).await;
            sleep(Duration::from_secs(4 * 3600)).await;
            assert_eq!(sim.server().keys(), ["semafence:generation"]);
        }
    });
}

#[test]
fn a_hand_off_has_a_token_of_its_own() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let first = bench.grant(&bench.claim(1)).await.token;
        bench.queue(&bench.claim(2)).await;

        bench.release(&bench.claim(1)).await;

        assert!(bench.grant(&bench.claim(2)).await.token > first);
    });
}

/// The explorer found this: a tombstone begins a new record, which looked like a name that never had a token.
#[test]
fn a_record_that_a_tombstone_began_anew_gives_no_token_twice() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let first = bench.grant(&bench.claim(1)).await.token;
        bench.server.delete(&bench.key("state"));
        let mut doubtful = bench.claim(1);
        doubtful.doubtful = true;
        bench.release(&doubtful).await;

        let second = bench.grant(&bench.claim(2)).await.token;

        assert!(second > first, "{second} after {first}");
    });
}
