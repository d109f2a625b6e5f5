//! A server that took over from another, or lost its data: for a while it grants nothing, and takes in again what it has
//! forgotten.

use std::sync::Arc;
use std::time::Duration;

use semafence::{Attempt, Busy, Claim, FencingToken, Grant, HolderId, LockBackend, Queueing, Standing};
use semafence_sim::{Direction, Link, run};

use crate::support::{Bench, TTL, id, sleep};

/// Past the grace with which a new deployment begins.
async fn bench(sim: &semafence_sim::Sim, limit: u32) -> Bench {
    let bench = Bench::new(sim, limit);
    let first = asking(&bench, 99);
    assert!(bench.is_busy(&first).await);
    sleep(TTL).await;
    bench.grant(&first).await;
    bench.release(&first).await;
    bench
}

fn asking(bench: &Bench, holder: u128) -> Claim {
    Claim {
        grace: TTL,
        ..bench.claim(holder)
    }
}

fn asking_long(bench: &Bench, holder: u128) -> Claim {
    Claim {
        ttl: TTL * 4,
        grace: TTL * 4,
        ..bench.claim(holder)
    }
}

fn holding(claim: &Claim, grant: &Grant) -> Claim {
    Claim {
        grant: Some(Arc::new(grant.clone())),
        ..claim.clone()
    }
}

/// A claim that was granted these slots under such a token, by a server that is no more.
fn granted(bench: &Bench, holder: u128, token: u64, slots: &[u32]) -> Claim {
    let grant = Grant {
        token: FencingToken::from_u64(token),
        slots: slots.to_vec(),
        limit: bench.limit,
        other_limit: None,
    };
    let weight = u32::try_from(slots.len()).unwrap();
    holding(
        &Claim {
            weight,
            ..asking(bench, holder)
        },
        &grant,
    )
}

/// Asks without waiting, and must not be granted.
async fn kept_back(bench: &Bench, holder: u128) -> Busy {
    match bench.attempt(&asking(bench, holder), Queueing::Never).await {
        Attempt::Busy(busy) => busy,
        other => panic!("it was not kept back: {other:?}"),
    }
}

fn promote(bench: &Bench) {
    bench.server.set_replid(&"b".repeat(40));
}

async fn holders(bench: &Bench) -> Vec<(HolderId, u64, Vec<u32>)> {
    let status = bench.status().await;
    let holder = |one: &semafence::HolderStatus| (one.holder, one.token.as_u64(), one.slots.clone());
    status.holders.iter().map(holder).collect()
}

#[test]
fn a_server_that_took_over_grants_nothing_for_as_long_as_a_lease_lasts() {
    run(1, |sim| async move {
        let bench = bench(&sim, 1).await;
        promote(&bench);

        let busy = kept_back(&bench, 1).await;
        assert_eq!((busy.used, busy.look_after), (0, TTL));
        sleep(TTL - Duration::from_millis(20)).await;
        assert!(bench.is_busy(&asking(&bench, 1)).await);
        sleep(Duration::from_millis(20)).await;

        bench.grant(&asking(&bench, 1)).await;
    });
}

#[test]
fn a_status_says_for_how_much_longer_nothing_is_granted() {
    run(1, |sim| async move {
        let bench = bench(&sim, 1).await;
        let left = async || bench.status().await.grace_left;
        assert_eq!(left().await, Duration::ZERO);

        promote(&bench);
        assert_eq!(left().await, TTL, "it begins when the first one asks");
        kept_back(&bench, 1).await;
        sleep(TTL / 2).await;
        assert!((TTL / 4..=TTL / 2).contains(&left().await), "{:?}", left().await);
        sleep(TTL / 2).await;

        assert_eq!(left().await, Duration::ZERO);
        bench.grant(&asking(&bench, 1)).await;
        assert_eq!(left().await, Duration::ZERO);
    });
}

#[test]
fn a_status_of_a_new_deployment_says_that_nothing_is_granted_to_who_waits() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);

        let attempt = bench.attempt(&asking(&bench, 1), Queueing::HandOff).await;
        assert!(matches!(attempt, Attempt::Queued(_)), "{attempt:?}");

        let left = bench.status().await.grace_left;
        assert!((TTL / 2..=TTL).contains(&left), "{left:?}");
    });
}

#[test]
fn without_a_grace_a_server_that_took_over_grants_at_once() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        bench.grant(&bench.claim(1)).await;
        bench.release(&bench.claim(1)).await;
        promote(&bench);

        bench.grant(&bench.claim(2)).await;
    });
}

#[test]
fn a_queue_is_served_in_order_once_the_grace_is_over() {
    run(1, |sim| async move {
        let bench = bench(&sim, 1).await;
        promote(&bench);
        assert_eq!(bench.queue(&asking(&bench, 1)).await, 1);
        assert_eq!(bench.queue(&asking(&bench, 2)).await, 2);
        bench.backend.resize(&bench.name, Some(2)).await.unwrap();
        assert_eq!(bench.holders().await, []);
        sleep(TTL).await;

        bench.queue(&asking(&bench, 3)).await;

        assert_eq!(bench.holders().await, [id(1), id(2)]);
    });
}

#[test]
fn whoever_is_on_record_goes_on_during_the_grace() {
    run(1, |sim| async move {
        let bench = bench(&sim, 2).await;
        let claim = asking(&bench, 1);
        let grant = bench.grant(&claim).await;
        promote(&bench);

        assert_eq!(bench.grant(&claim).await.token, grant.token);
        assert_eq!(bench.refresh(&holding(&claim, &grant)).await, Standing::Held);
        assert_eq!(bench.release(&claim).await, Standing::Held);
    });
}

#[test]
fn the_longest_grace_that_anybody_asked_for_counts() {
    run(1, |sim| async move {
        let bench = bench(&sim, 2).await;
        let long = asking_long(&bench, 1);
        bench.grant(&long).await;
        promote(&bench);

        assert!(bench.is_busy(&asking(&bench, 2)).await);
        assert!(bench.is_busy(&bench.claim(3)).await, "one that asks for none jumps in");
        sleep(TTL).await;
        assert!(bench.is_busy(&asking(&bench, 2)).await);
    });
}

#[test]
fn a_grace_that_nobody_needs_any_more_is_forgotten() {
    run(1, |sim| async move {
        let bench = bench(&sim, 1).await;
        let long = asking_long(&bench, 1);
        bench.grant(&long).await;
        bench.release(&long).await;
        bench.grant(&asking(&bench, 2)).await;
        promote(&bench);

        let busy = kept_back(&bench, 3).await;
        assert_eq!(busy.look_after, TTL);
    });
}

#[test]
fn what_was_forgotten_is_taken_in_again_under_its_token() {
    run(1, |sim| async move {
        let bench = bench(&sim, 4).await;
        let claims: Vec<Claim> = (1..4).map(|holder| asking(&bench, holder)).collect();
        let mut held = Vec::new();
        for claim in &claims {
            held.push(holding(claim, &bench.grant(claim).await));
        }
        let before = holders(&bench).await;
        bench.server.flush_all();

        for claim in [&held[2], &held[0], &held[1]] {
            assert_eq!(bench.refresh(claim).await, Standing::Held);
        }

        let mut after = holders(&bench).await;
        after.sort();
        assert_eq!(after, before);
        sleep(TTL - Duration::from_millis(100)).await;
        for claim in &held {
            assert_eq!(bench.refresh(claim).await, Standing::Held);
        }
        sleep(Duration::from_millis(100)).await;
        let next = bench.grant(&asking(&bench, 5)).await;
        assert_eq!(next.slots, [3], "its slots are those of nobody else");
        assert!(held.iter().all(|claim| claim.token() < Some(next.token)));
        for claim in &held {
            assert_eq!(bench.release(claim).await, Standing::Held);
        }
        bench.assert_every_key_ends();
    });
}

#[test]
fn many_are_taken_in_again_in_one_call() {
    run(1, |sim| async move {
        let bench = bench(&sim, 9).await;
        let first = granted(&bench, 1, 7, &[1, 2, 5]);
        let others = [granted(&bench, 2, 8, &[0]), granted(&bench, 3, 9, &[4, 8])];
        promote(&bench);

        let standings = bench
            .backend
            .refresh(&[first, others[0].clone(), others[1].clone()])
            .await;

        assert!(standings.iter().all(|standing| matches!(standing, Ok(Standing::Held))));
        sleep(TTL - Duration::from_millis(50)).await;
        let free = bench.weighing(4, 3);
        assert_eq!(bench.refresh(&others[0]).await, Standing::Held);
        sleep(Duration::from_millis(100)).await;
        assert_eq!(bench.grant(&free).await.slots, [1, 2, 3]);
    });
}

#[test]
fn nothing_is_taken_in_once_the_grace_is_over() {
    run(1, |sim| async move {
        let bench = bench(&sim, 1).await;
        let late = granted(&bench, 1, 7, &[0]);
        promote(&bench);
        assert!(bench.is_busy(&asking(&bench, 2)).await);
        sleep(TTL).await;

        assert_eq!(bench.refresh(&late).await, Standing::Absent);
    });
}

#[test]
fn who_was_forgotten_as_a_holder_leaves_its_place_in_the_queue() {
    run(1, |sim| async move {
        let bench = bench(&sim, 1).await;
        bench.grant(&asking(&bench, 1)).await;
        bench.queue(&asking(&bench, 2)).await;
        let token = bench.status().await.token.unwrap().as_u64();
        promote(&bench);

        let standing = bench.refresh(&granted(&bench, 2, token + 1, &[0])).await;

        assert_eq!(standing, Standing::Held);
        let status = bench.status().await;
        assert_eq!((status.holders_total, status.waiters_total), (1, 0));
        assert_eq!(
            bench.holders().await,
            [id(2)],
            "what the first had given back was forgotten"
        );
    });
}

#[test]
fn what_an_older_server_has_on_record_gives_way_to_what_was_granted_since() {
    run(1, |sim| async move {
        let bench = bench(&sim, 3).await;
        let old = bench.weighing(1, 2);
        bench.grant(&old).await;
        let token = bench.status().await.token.unwrap().as_u64();
        promote(&bench);

        assert_eq!(
            bench.refresh(&granted(&bench, 2, token + 1, &[1, 2])).await,
            Standing::Held
        );
        assert_eq!(
            bench.refresh(&granted(&bench, 3, token - 1, &[2])).await,
            Standing::Absent
        );
        assert_eq!(
            bench.refresh(&granted(&bench, 4, token + 2, &[0])).await,
            Standing::Held
        );

        assert_eq!(bench.holders().await.len(), 2);
        assert_eq!(bench.refresh(&bench.claim(1)).await, Standing::Absent);
    });
}

#[test]
fn what_the_same_holder_was_granted_before_gives_way_as_well() {
    run(1, |sim| async move {
        let bench = bench(&sim, 3).await;
        bench.grant(&asking(&bench, 1)).await;
        let token = bench.status().await.token.unwrap().as_u64();
        promote(&bench);

        assert_eq!(
            bench.refresh(&granted(&bench, 1, token - 1, &[2])).await,
            Standing::Absent
        );
        assert_eq!(
            bench.refresh(&granted(&bench, 1, token + 1, &[2])).await,
            Standing::Held
        );

        assert_eq!(holders(&bench).await, [(id(1), token + 1, vec![2])]);
    });
}

#[test]
fn no_token_is_taken_in_that_those_to_come_would_not_be_above() {
    run(1, |sim| async move {
        let bench = bench(&sim, 1).await;
        promote(&bench);

        assert_eq!(
            bench.refresh(&granted(&bench, 1, 1 << 52, &[0])).await,
            Standing::Absent
        );
    });
}

/// SCENARIOS 16.
#[test]
fn what_an_operator_deleted_is_not_taken_in_again() {
    run(1, |sim| async move {
        let bench = bench(&sim, 1).await;
        let claim = asking(&bench, 1);
        let held = holding(&claim, &bench.grant(&claim).await);
        promote(&bench);
        assert_eq!(bench.refresh(&held).await, Standing::Held);
        bench.server.delete(&bench.key("state"));

        assert_eq!(bench.refresh(&held).await, Standing::Absent);
    });
}

#[test]
fn what_was_taken_by_force_is_not_taken_in_again() {
    run(1, |sim| async move {
        let bench = bench(&sim, 1).await;
        let claim = asking(&bench, 1);
        let held = holding(&claim, &bench.grant(&claim).await);
        promote(&bench);
        bench.backend.force_release(&bench.name, id(1)).await.unwrap();

        assert_eq!(bench.refresh(&held).await, Standing::Forced);
    });
}

/// SCENARIOS 20.
#[test]
fn a_refresh_that_comes_after_the_release_takes_nothing_in() {
    run(1, |sim| async move {
        let client = sim.client();
        let printers = client.semaphore("printers", 1).ttl(TTL).failover_grace(TTL).build();
        let printers = printers.unwrap();
        let permit = printers.acquire().await.unwrap();
        let process = client.backend().process();
        process.hold(Link::Keeper, Direction::Request);
        sleep(TTL / 2).await;
        sim.server().set_replid(&"b".repeat(40));

        assert_eq!(permit.release().await.unwrap(), Standing::Held);
        process.deliver();
        sleep(Duration::from_millis(100)).await;

        assert_eq!(printers.status().await.unwrap().holders, []);
    });
}

#[test]
fn a_permit_survives_a_server_that_loses_all_data() {
    run(1, |sim| async move {
        let client = sim.client();
        let printers = client.semaphore("printers", 1).ttl(TTL).failover_grace(TTL).build();
        let printers = printers.unwrap();
        let permit = printers.acquire().await.unwrap();
        let token = permit.token();
        sim.server().flush_all();

        sleep(TTL * 3).await;

        assert!(permit.is_held());
        permit.release().await.unwrap();
        let next = printers.acquire().await.unwrap();
        assert!(next.token() > token);
    });
}
