//! Messages that are lost, late, held back or repeated; processes that stand still; servers that go away.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use semafence::{Attempt, BackendError, Clock, Failure, LockBackend, Outcome, Queueing, Standing, Wakeup};
use semafence_sim::{Direction, Link, Message, Persistence, Refused, Verdict, run};

use crate::support::{Bench, id, next, sleep};

fn kind(error: &BackendError) -> (Failure, Outcome) {
    (error.failure(), error.outcome())
}

const UNKNOWN: (Failure, Outcome) = (Failure::Transient, Outcome::Unknown);

#[test]
fn a_lost_request_ran_nowhere_and_a_lost_reply_did() {
    for (direction, ran) in [(Direction::Request, false), (Direction::Reply, true)] {
        run(1, |sim| async move {
            let bench = Bench::new(&sim, 1);
            let claim = bench.claim(1);
            bench.backend.process().drop_next(Link::Commands, direction, 1);

            let asked_at = sim.now();
            let error = bench.backend.acquire(&claim, Queueing::Never).await.unwrap_err();

            assert_eq!(kind(&error), UNKNOWN);
            assert_eq!(sim.now() - asked_at, claim.timeout());
            assert_eq!(!bench.holders().await.is_empty(), ran, "{direction:?}");
        });
    }
}

#[test]
fn a_repeated_request_has_the_effect_of_one() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        sim.set_faults(|_: &Message| Verdict::Duplicate(Duration::from_millis(40)));

        let first = bench.grant(&bench.claim(1)).await;
        sleep(Duration::from_millis(100)).await;
        let again = bench.grant(&bench.claim(1)).await;

        assert_eq!(first, again);
        assert_eq!(bench.holders().await, [id(1)]);
    });
}

#[test]
fn a_request_that_is_held_back_arrives_long_after_its_sender_gave_up() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let process = bench.backend.process();
        process.hold(Link::Commands, Direction::Request);
        let error = bench
            .backend
            .acquire(&bench.claim(1), Queueing::Never)
            .await
            .unwrap_err();
        assert_eq!(kind(&error), UNKNOWN);
        assert_eq!(sim.server().keys(), Vec::<String>::new());

        process.deliver();
        sleep(Duration::from_millis(10)).await;

        assert_eq!(bench.holders().await, [id(1)]);
    });
}

#[test]
fn a_verdict_can_hold_delay_and_drop_single_messages() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 3);
        sim.set_faults(|message: &Message| match (message.direction, message.number) {
            (Direction::Request, 1) => Verdict::Hold,
            (Direction::Request, 2) => Verdict::Delay(Duration::from_secs(1)),
            (Direction::Request, 3) => Verdict::Drop,
            _ => Verdict::Deliver,
        });

        for holder in 1..4 {
            bench
                .backend
                .acquire(&bench.claim(holder), Queueing::Never)
                .await
                .unwrap_err();
        }
        sleep(Duration::from_millis(500)).await;

        assert_eq!(bench.holders().await, [id(2)], "the second was late, not lost");
        bench.backend.process().deliver();
        sleep(Duration::from_millis(10)).await;
        assert_eq!(bench.holders().await.len(), 2);
    });
}

#[test]
fn a_partition_loses_everything_and_a_repair_says_so() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let other = Bench::new(&sim, 1);
        let mut messages = bench.messages().await;
        other.grant(&other.claim(1)).await;
        bench.queue(&bench.claim(2)).await;
        bench.backend.process().partition();

        let error = bench.backend.time().await.unwrap_err();
        other.release(&other.claim(1)).await;
        assert_eq!(kind(&error), UNKNOWN);
        assert_eq!(next(&mut messages).await, None);
        bench.backend.process().repair();

        assert_eq!(next(&mut messages).await, Some(Wakeup::Missed));
        assert!(matches!(
            bench.attempt(&bench.claim(2), Queueing::HandOff).await,
            Attempt::Granted(_)
        ));
        bench.release(&bench.claim(2)).await;
        bench.grant(&bench.claim(3)).await;
        bench.queue(&bench.claim(4)).await;
        bench.release(&bench.claim(3)).await;
        assert_eq!(
            next(&mut messages).await,
            Some(Wakeup::Look(id(4))),
            "the subscription is back"
        );
    });
}

#[test]
fn one_way_of_one_connection_can_be_cut() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let keeper = bench.backend.keeper_handle();
        bench.grant(&bench.claim(1)).await;
        bench.backend.process().cut(Link::Keeper, Direction::Request);

        let standings = keeper.refresh(&[bench.claim(1)]).await;

        assert_eq!(kind(standings[0].as_ref().unwrap_err()), UNKNOWN);
        assert_eq!(bench.refresh(&bench.claim(1)).await, Standing::Held);
    });
}

#[test]
fn a_paused_process_sees_nothing_until_it_resumes() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let process = bench.backend.process().clone();
        let mut messages = bench.messages().await;
        let waiting = {
            let (backend, claim) = (bench.backend.clone(), bench.claim(1));
            tokio::spawn(async move { backend.acquire(&claim, Queueing::Never).await })
        };
        let clock = process.clock().clone();
        let timer = {
            let deadline = clock.now() + Duration::from_millis(1);
            let clock = clock.clone();
            tokio::spawn(async move { clock.sleep_until(deadline).await })
        };
        tokio::task::yield_now().await;
        process.pause();
        let paused_at = clock.now();

        sleep(Duration::from_secs(60)).await;
        assert!(!waiting.is_finished() && !timer.is_finished());
        assert_eq!(clock.now().saturating_since(paused_at), Duration::from_secs(60));
        process.resume();

        assert!(
            matches!(waiting.await.unwrap(), Ok(Attempt::Granted(_))),
            "the reply was there all along"
        );
        timer.await.unwrap();
        assert_eq!(next(&mut messages).await, None);
    });
}

#[test]
fn a_pause_holds_the_keeper_as_well_and_the_lease_is_lost() {
    run(1, |sim| async move {
        let client = sim.client();
        let mutex = client.mutex("m").ttl(Duration::from_secs(3)).build().unwrap();
        let permit = mutex.lock().await.unwrap();
        let other = sim.client().mutex("m").ttl(Duration::from_secs(3)).build().unwrap();

        client.backend().process().pause();
        let stolen = other.lock().await.unwrap();
        client.backend().process().resume();
        permit.lost().await;

        assert!(sim.now() < Duration::from_secs(4));
        assert!(stolen.token() > permit.token());
    });
}

#[test]
fn a_crash_breaks_connections_and_a_restart_takes_new_ones() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let mut messages = bench.messages().await;
        bench.grant(&bench.claim(1)).await;
        let on_its_way = {
            let (backend, claim) = (bench.backend.clone(), bench.claim(1));
            tokio::spawn(async move { backend.release(&claim).await })
        };
        tokio::task::yield_now().await;

        sim.server().crash();
        let refused = bench.backend.time().await.unwrap_err();
        sim.server().restart(Persistence::Kept);

        let error = on_its_way.await.unwrap().unwrap_err();
        assert_eq!(
            kind(&error),
            (Failure::Transient, Outcome::NotApplied),
            "it arrived at a server that was down"
        );
        assert_eq!(kind(&refused), (Failure::Transient, Outcome::NotApplied));
        assert_eq!(bench.holders().await, [id(1)]);
        assert_eq!(next(&mut messages).await, Some(Wakeup::Missed));
        sim.server().restart(Persistence::Lost);
        assert_eq!(bench.holders().await, []);
    });
}

#[test]
fn a_request_sent_to_a_server_that_restarted_meanwhile_is_reset() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let asking = {
            let backend = bench.backend.clone();
            tokio::spawn(async move { backend.time().await })
        };
        tokio::task::yield_now().await;

        sim.server().restart(Persistence::Kept);

        assert_eq!(kind(&asking.await.unwrap().unwrap_err()), UNKNOWN);
    });
}

#[test]
fn a_frozen_server_answers_late_or_too_late() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        sim.server().freeze();
        let error = bench
            .backend
            .acquire(&bench.claim(1), Queueing::Never)
            .await
            .unwrap_err();
        assert_eq!(kind(&error), UNKNOWN);

        sim.server().thaw();
        sleep(Duration::from_millis(10)).await;

        assert_eq!(bench.holders().await, [id(1)], "it ran once the server went on");
    });
}

#[test]
fn refusals_are_those_of_a_server() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        bench.grant(&bench.claim(1)).await;
        let server = sim.server();
        let release = || async { bench.backend.release(&bench.claim(1)).await.unwrap_err() };

        server.refuse(Refused::All, "NOAUTH Authentication required.");
        assert_eq!(kind(&release().await), (Failure::Refused, Outcome::NotApplied));
        server.refuse(Refused::Writes, "READONLY You can't write against a read only replica.");
        assert_eq!(kind(&release().await), (Failure::Transient, Outcome::NotApplied));
        assert_eq!(bench.holders().await, [id(1)], "reading goes on");
        server.refuse(
            Refused::Command("publish".to_owned()),
            "NOPERM No permissions to access a channel",
        );
        bench.queue(&bench.claim(2)).await;
        assert_eq!(
            bench.release(&bench.claim(1)).await,
            Standing::Held,
            "a message is only a hint"
        );
        server.accept();

        assert_eq!(bench.holders().await, [id(2)]);
    });
}

#[test]
fn a_full_server_takes_no_lease_from_its_holder() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        bench.grant(&bench.claim(1)).await;

        sim.server().refuse(
            Refused::Growth,
            "OOM command not allowed when used memory > 'maxmemory'.",
        );
        let error = bench
            .backend
            .acquire(&bench.claim(2), Queueing::Never)
            .await
            .unwrap_err();

        assert_eq!(kind(&error), (Failure::Transient, Outcome::NotApplied));
        assert_eq!(bench.refresh(&bench.claim(1)).await, Standing::Held);
        assert_eq!(bench.release(&bench.claim(1)).await, Standing::Held);
    });
}

#[test]
fn scripts_that_the_server_has_forgotten_are_sent_again() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        bench.grant(&bench.claim(1)).await;

        sim.server().flush_scripts();

        assert_eq!(bench.refresh(&bench.claim(1)).await, Standing::Held);
        assert_eq!(bench.release(&bench.claim(1)).await, Standing::Held);
        let counts = sim.server().commands();
        assert_eq!((counts["evalsha"], counts["eval"]), (3, 2));
    });
}

#[test]
fn the_end_of_a_subscription_ends_its_messages() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let first = bench.messages().await;
        let mut second = bench.messages().await;
        drop(first);
        bench.grant(&bench.claim(1)).await;
        bench.queue(&bench.claim(2)).await;

        bench.release(&bench.claim(1)).await;

        assert_eq!(next(&mut second).await, Some(Wakeup::Look(id(2))));
        assert!(futures::future::FutureExt::now_or_never(second.next()).is_none());
    });
}

#[test]
fn clocks_drift_and_step_apart() {
    run(1, |sim| async move {
        let (fast, slow) = (sim.backend(), sim.backend());
        let (fast, slow) = (fast.process().clock(), slow.process().clock());
        fast.set_drift_ppm(10_000);
        slow.set_drift_ppm(-10_000);
        let (fast_start, slow_start) = (fast.now(), slow.now());
        let wall = fast.wall();
        fast.step_wall_us(-5_000_000);

        fast.sleep_until(fast_start + Duration::from_secs(101)).await;

        assert_eq!(sim.now(), Duration::from_secs(100));
        assert_eq!(slow.now().saturating_since(slow_start), Duration::from_secs(99));
        assert_eq!(fast.wall().as_micros() - wall.as_micros(), 96_000_000);
        assert_ne!(fast_start, slow_start, "no two clocks have one origin");
        sim.server().set_drift_ppm(1_000);
        let before = sim.server().time().as_micros();
        sleep(Duration::from_secs(1_000)).await;
        assert_eq!(sim.server().time().as_micros() - before, 1_001_000_000);
    });
}

#[test]
fn a_faster_clock_wakes_those_who_sleep_already() {
    run(1, |sim| async move {
        let clock = Arc::new(sim.backend().process().clock().clone());
        let sleeper = {
            let clock = Arc::clone(&clock);
            let deadline = clock.now() + Duration::from_secs(20);
            tokio::spawn(async move { clock.sleep_until(deadline).await })
        };
        sleep(Duration::from_secs(10)).await;

        clock.set_drift_ppm(1_000_000);
        sleeper.await.unwrap();

        assert_eq!(sim.now(), Duration::from_secs(15));
    });
}
