//! A server that starts again with older data: what it has forgotten since, and what is there again.

use std::sync::Arc;
use std::time::Duration;

use semafence::script::Reply;
use semafence::{Attempt, Claim, Failure, Grant, Queueing, Standing, Wakeup};
use semafence_sim::{Persistence, Server, Sim, run, run_with_replicas};

use crate::support::{Bench, TTL, WINDOW, id, next, sleep};

/// Past the grace with which a new deployment begins.
async fn bench(sim: &Sim, limit: u32) -> Bench {
    let bench = Bench::new(sim, limit);
    let first = careful(&bench, 99);
    assert!(bench.is_busy(&first).await);
    sleep(TTL).await;
    bench.grant(&first).await;
    bench.release(&first).await;
    bench
}

fn careful(bench: &Bench, holder: u128) -> Claim {
    Claim {
        grace: TTL,
        ..bench.claim(holder)
    }
}

fn holding(claim: Claim, grant: &Grant) -> Claim {
    Claim {
        grant: Some(Arc::new(grant.clone())),
        ..claim
    }
}

fn revert(server: &Server) {
    server.crash();
    server.restart(Persistence::Saved);
}

#[test]
fn what_was_granted_after_the_save_is_forgotten_and_what_was_there_before_is_there_again() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        bench.grant(&bench.claim(1)).await;
        bench.server.save();
        bench.grant(&bench.claim(2)).await;
        bench.release(&bench.claim(1)).await;
        assert_eq!(bench.holders().await, [id(2)]);

        revert(&bench.server);

        assert_eq!(bench.holders().await, [id(1)]);
        assert!(sim.trace().iter().any(|line| line.ends_with("saves its data")));
        assert!(sim.trace().iter().any(|line| line.ends_with("restarts, data Saved")));
    });
}

#[test]
fn the_last_save_counts_and_where_nothing_was_saved_nothing_is_left() {
    run(1, |sim| async move {
        let server = sim.server();
        let restarted = |persistence| {
            server.run(&["SET", "last", "1"]).unwrap();
            server.restart(persistence);
            server.keys()
        };

        assert!(restarted(Persistence::Saved).is_empty(), "it never was");
        for key in ["first", "second"] {
            server.run(&["SET", key, "1"]).unwrap();
            server.save();
        }
        assert_eq!(restarted(Persistence::Saved), ["first", "second"]);
        assert_eq!(
            restarted(Persistence::Saved),
            ["first", "second"],
            "it stays on the disk"
        );
        server.crash();
        server.save();
        assert_eq!(restarted(Persistence::Kept), ["first", "last", "second"]);
        assert_eq!(restarted(Persistence::Lost), Vec::<String>::new());
        assert!(restarted(Persistence::Saved).is_empty(), "the disk was lost");
    });
}

#[test]
fn old_data_ends_when_it_would_have_ended() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        bench.grant(&bench.claim(1)).await;
        bench.server.run(&["SET", "brief", "1", "PX", "1000"]).unwrap();
        bench.server.save();
        sleep(Duration::from_millis(900)).await;
        revert(&bench.server);

        let left = bench.server.ttl("brief");
        assert!(left <= Some(Duration::from_millis(100)), "{left:?}");
        assert_eq!(bench.holders().await, [id(1)]);
        sleep(TTL).await;
        revert(&bench.server);

        assert_eq!(bench.server.ttl("brief"), None);
        assert_eq!(bench.holders().await, []);
        sleep(Duration::from_secs(4 * 3600)).await;
        revert(&bench.server);
        assert_eq!(bench.server.keys(), ["semafence:generation"]);
    });
}

#[test]
fn a_lease_granted_after_the_save_is_told_and_the_next_token_is_larger() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        bench.grant(&bench.claim(1)).await;
        bench.release(&bench.claim(1)).await;
        bench.server.save();
        let forgotten = bench.grant(&bench.claim(2)).await;

        revert(&bench.server);

        let next = bench.grant(&bench.claim(3)).await;
        assert!(next.token > forgotten.token, "{} after {}", next.token, forgotten.token);
        assert_eq!(
            bench.refresh(&holding(bench.claim(2), &forgotten)).await,
            Standing::Absent
        );
    });
}

#[test]
fn with_a_grace_nobody_is_let_in_beside_a_holder_that_old_data_does_not_know() {
    run(1, |sim| async move {
        let bench = bench(&sim, 1).await;
        bench.grant(&careful(&bench, 1)).await;
        bench.server.save();
        bench.release(&careful(&bench, 1)).await;
        let forgotten = bench.grant(&careful(&bench, 2)).await;
        revert(&bench.server);
        assert_eq!(bench.holders().await, [id(1)], "who gave it back");

        assert!(bench.is_busy(&careful(&bench, 3)).await);
        let held = holding(careful(&bench, 2), &forgotten);
        assert_eq!(bench.refresh(&held).await, Standing::Held, "it is taken in again");

        assert_eq!(bench.holders().await, [id(2)]);
        assert!(bench.is_busy(&careful(&bench, 3)).await);
        sleep(TTL - Duration::from_millis(500)).await;
        assert_eq!(bench.refresh(&held).await, Standing::Held);
        sleep(Duration::from_millis(500)).await;
        assert!(bench.is_busy(&careful(&bench, 3)).await, "no grace, but a holder");
        assert_eq!(bench.release(&held).await, Standing::Held);
        assert!(bench.grant(&careful(&bench, 3)).await.token > forgotten.token);
    });
}

#[test]
fn a_queue_is_the_one_of_before_and_who_has_left_it_costs_one_window() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let mut messages = bench.messages().await;
        bench.grant(&bench.claim(1)).await;
        bench.queue(&bench.claim(2)).await;
        bench.server.save();
        bench.release(&bench.claim(2)).await;
        bench.queue(&bench.claim(3)).await;

        revert(&bench.server);

        let waiters: Vec<_> = bench.status().await.waiters.iter().map(|one| one.holder).collect();
        assert_eq!(waiters, [id(2)]);
        assert_eq!(next(&mut messages).await, Some(Wakeup::Missed), "so all ask again");
        assert_eq!(bench.queue(&bench.claim(3)).await, 2);
        bench.release(&bench.claim(1)).await;
        assert_eq!(bench.holders().await, [id(2)]);
        sleep(WINDOW).await;
        let attempt = bench.attempt(&bench.claim(3), Queueing::HandOff).await;
        assert!(matches!(attempt, Attempt::Granted(_)), "{attempt:?}");
    });
}

fn get(server: &Server, key: &str) -> Option<Reply> {
    server.run(&["GET", key]).ok().filter(|reply| *reply != Reply::Nil)
}

#[test]
fn replicas_go_back_with_their_master() {
    run_with_replicas(1, 2, |sim| async move {
        let site = sim.deployment(0);
        let master = site.master();
        let moment = Duration::from_millis(100);
        master.run(&["SET", "old", "1"]).unwrap();
        master.save();
        master.run(&["SET", "new", "1"]).unwrap();
        sleep(moment).await;

        revert(&master);
        sleep(moment).await;
        master.run(&["SET", "newest", "1"]).unwrap();
        sleep(moment).await;

        for replica in &site.servers()[1..] {
            let has = ["old", "new", "newest"].map(|key| get(replica, key).is_some());
            assert_eq!(has, [true, false, true]);
        }
        master.crash();
        site.promote(&site.successor().expect("two follow"));
        assert_eq!(sim.marks().count("a failover lost nothing"), 1);
    });
}

/// What a master counts anew must not pass for what it had counted before.
#[test]
fn who_waits_for_replicas_of_what_was_lost_is_not_told_that_they_have_it() {
    for persistence in [Persistence::Saved, Persistence::Lost] {
        run_with_replicas(1, 1, |sim| async move {
            let master = sim.server();
            let backend = sim.backend();
            backend.command(&["SET", "old", "1"], TTL).await.unwrap();
            master.save();
            sim.deployment(0).servers()[1].cut_replication();
            let waiting = {
                let backend = backend.clone();
                tokio::spawn(async move {
                    backend.command(&["SET", "new", "1"], TTL).await.unwrap();
                    backend.command(&["WAIT", "1", "0"], TTL * 2).await
                })
            };
            sleep(Duration::from_millis(50)).await;

            master.crash();
            master.restart(persistence);
            sleep(Duration::from_millis(50)).await;
            for _ in 0..5 {
                master.run(&["SET", "newer", "1"]).unwrap();
            }
            sleep(Duration::from_millis(50)).await;

            assert!(waiting.is_finished());
            let error = waiting.await.unwrap().unwrap_err();
            assert_eq!(error.failure(), Failure::Transient, "{error}");
        });
    }
}
