//! Clauses on clients: the same core over this backend.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::join_all;

use super::lab::{AnyClient, LONG, Lab, TTL};
use crate::backend::Standing;
use crate::clock::Clock;
use crate::config::Strategy;
use crate::error::{Error, LossReason};
use crate::semaphore::Semaphore;

type AnySemaphore = Semaphore<Arc<dyn crate::LockBackend>, Arc<dyn Clock>>;

fn semaphore(client: &AnyClient, limit: u32, strategy: Strategy, ttl: Duration) -> AnySemaphore {
    let builder = client.semaphore("name", limit).ttl(ttl).strategy(strategy);
    let builder = builder.retry_interval(Duration::from_millis(20));
    let builder = builder.wakeup_fallback(LONG);
    // Where another server may take over, the first grant of all would wait for a ttl.
    let builder = builder.failover_grace(Duration::ZERO);
    builder.build().expect("a good configuration")
}

pub(super) async fn with_a_queue_at_most_limit_are_inside_and_everyone_gets_a_turn(lab: Lab) {
    everyone_gets_a_turn(lab, Strategy::Queue).await;
}

pub(super) async fn with_wake_ups_at_most_limit_are_inside_and_everyone_gets_a_turn(lab: Lab) {
    everyone_gets_a_turn(lab, Strategy::Notify).await;
}

pub(super) async fn with_polling_at_most_limit_are_inside_and_everyone_gets_a_turn(lab: Lab) {
    everyone_gets_a_turn(lab, Strategy::Poll).await;
}

async fn everyone_gets_a_turn(lab: Lab, strategy: Strategy) {
    const LIMIT: u32 = 2;
    let inside = AtomicU32::new(0);
    let (lab, inside) = (&lab, &inside);
    let contenders = (0..6).map(|_| async move {
        let client = lab.client();
        let semaphore = semaphore(&client, LIMIT, strategy, LONG);
        for _ in 0..3 {
            let permit = semaphore.acquire().await.expect("everyone gets a turn");
            let others = inside.fetch_add(1, Ordering::SeqCst);
            assert!(others < LIMIT, "{} inside of {LIMIT}", others + 1);
            lab.sleep(Duration::from_millis(10)).await;
            inside.fetch_sub(1, Ordering::SeqCst);
            permit.release().await.expect("a permit is given back");
        }
    });

    lab.in_time("contention", join_all(contenders)).await;
}

pub(super) async fn an_attempt_does_not_wait_and_a_timed_wait_ends_in_time(lab: Lab) {
    let client = lab.client();
    let _holder = semaphore(&client, 1, Strategy::Queue, LONG)
        .acquire()
        .await
        .expect("a free permit");
    for strategy in [Strategy::Queue, Strategy::Notify, Strategy::Poll] {
        let builder = client.semaphore("name", 1).ttl(LONG).strategy(strategy);
        let semaphore = builder.retry_interval(LONG).build().expect("a good configuration");

        assert!(semaphore.try_acquire().await.expect("contention is no error").is_none());

        let start = lab.now();
        let error = semaphore.acquire_timeout(Duration::from_millis(200)).await.unwrap_err();
        let waited = lab.elapsed_since(start);
        assert!(matches!(error, Error::TimedOut { .. }), "{error}");
        assert!(
            (Duration::from_millis(200)..LONG / 2).contains(&waited),
            "{strategy:?}: {waited:?}"
        );
    }
}

pub(super) async fn a_dropped_acquire_leaves_nothing_behind(lab: Lab) {
    let client = lab.client();
    let semaphore = semaphore(&client, 1, Strategy::Queue, LONG);
    // Dropped at once, in flight, and after the reply: every few microseconds of a round trip.
    for step in 0..40 {
        let patience = Duration::from_micros(step * 25);
        tokio::select! {
            biased;
            permit = semaphore.acquire() => drop(permit.expect("a free permit")),
            () = lab.sleep(patience) => {}
        }
    }

    let start = lab.now();
    let permit = lab
        .in_time("an acquire after many dropped ones", semaphore.acquire())
        .await;

    let took = lab.elapsed_since(start);
    assert!(took < LONG / 2, "{took:?}: one that was dropped held for its ttl");
    drop(permit);
    nothing_is_left(&lab).await;
}

async fn nothing_is_left(lab: &Lab) {
    lab.in_time("cleaning up", async {
        loop {
            let status = lab.status(&lab.claim(1)).await;
            if status.holders_total + status.waiters_total == 0 {
                break;
            }
            lab.sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
}

pub(super) async fn a_wait_that_times_out_leaves_the_queue(lab: Lab) {
    let (first, second) = (lab.client(), lab.client());
    let holder = semaphore(&first, 1, Strategy::Queue, LONG)
        .acquire_owned()
        .await
        .expect("a free permit");
    let waiting = semaphore(&second, 1, Strategy::Queue, LONG);
    let error = waiting.acquire_timeout(Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(error, Error::TimedOut { .. }), "{error}");

    holder.release().await.expect("a permit is given back");
    let start = lab.now();
    let permit = lab.in_time("the next acquire", waiting.acquire()).await;

    assert!(permit.expect("the permit is free").is_held());
    let took = lab.elapsed_since(start);
    assert!(
        took < Duration::from_secs(1),
        "{took:?}: a waiter that is gone had it for a claim window"
    );
}

pub(super) async fn a_dropped_permit_is_given_back(lab: Lab) {
    let (first, second) = (lab.client(), lab.client());
    let permit = semaphore(&first, 1, Strategy::Queue, LONG)
        .acquire_owned()
        .await
        .expect("a free permit");
    let waiting = semaphore(&second, 1, Strategy::Queue, LONG);
    let start = lab.now();

    drop(permit);

    let _permit = waiting.acquire().await.expect("a permit is free again");
    assert!(
        lab.elapsed_since(start) < LONG / 2,
        "long before the lease would have ended"
    );
}

pub(super) async fn a_permit_outlasts_many_ttls_while_it_is_kept(lab: Lab) {
    let (first, second) = (lab.client(), lab.client());
    let permit = semaphore(&first, 1, Strategy::Queue, TTL)
        .acquire_owned()
        .await
        .expect("a free permit");

    lab.sleep(TTL * 4).await;

    assert!(permit.is_held());
    assert!(permit.remaining() > Duration::ZERO);
    assert!(
        semaphore(&second, 1, Strategy::Queue, TTL)
            .try_acquire()
            .await
            .expect("an answer")
            .is_none()
    );
    assert_eq!(permit.release().await.expect("a permit is given back"), Standing::Held);
}

pub(super) async fn a_permit_that_is_taken_away_is_told_within_a_refresh_interval(lab: Lab) {
    let losses = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&losses);
    let client = lab.client_with(move |loss| {
        told.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push((loss.token, loss.reason));
    });
    let semaphore = semaphore(&client, 1, Strategy::Queue, TTL);
    let permit = semaphore.acquire().await.expect("a free permit");
    let working = permit.run(std::future::pending::<()>());

    let forced = lab.backend.force_release(permit.name(), permit.holder()).await;

    assert_eq!(forced.expect("a forced release is answered"), Standing::Held);
    let error = lab.in_time("the loss", working).await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Lost {
                reason: LossReason::Forced,
                ..
            }
        ),
        "{error}"
    );
    assert!(permit.cancellation_token().is_cancelled());
    lab.sleep(Duration::from_millis(50)).await;
    let losses = losses.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert_eq!(losses, [(permit.token(), LossReason::Forced)]);
}

pub(super) async fn loss_is_final(lab: Lab) {
    let client = lab.client();
    let semaphore = semaphore(&client, 1, Strategy::Queue, TTL);
    let permit = semaphore.acquire().await.expect("a free permit");
    lab.backend
        .force_release(permit.name(), permit.holder())
        .await
        .expect("a forced release is answered");

    let reason = lab.in_time("the loss", permit.lost()).await;

    assert_eq!(reason, LossReason::Forced);
    assert_eq!(permit.refresh().await.expect("an answer"), Standing::Forced);
    assert!(!permit.is_held() && permit.remaining().is_zero());
    assert_eq!(permit.release().await.expect("an answer"), Standing::Forced);
}

pub(super) async fn two_that_want_everything_do_not_deadlock(lab: Lab) {
    let lab = &lab;
    let greedy = (0..2).map(|_| async move {
        let client = lab.client();
        let semaphore = semaphore(&client, 4, Strategy::Queue, LONG);
        for _ in 0..5 {
            let permit = semaphore.acquire_many(4).await.expect("all permits");
            assert_eq!(permit.slots(), [0, 1, 2, 3]);
        }
    });

    lab.in_time("two that want everything", join_all(greedy)).await;
}

pub(super) async fn a_queued_waiter_is_woken_long_before_the_fallback(lab: Lab) {
    a_waiter_is_woken(lab, Strategy::Queue).await;
}

pub(super) async fn a_notified_waiter_is_woken_long_before_the_fallback(lab: Lab) {
    a_waiter_is_woken(lab, Strategy::Notify).await;
}

async fn a_waiter_is_woken(lab: Lab, strategy: Strategy) {
    let (first, second) = (lab.client(), lab.client());
    let permit = semaphore(&first, 1, strategy, LONG)
        .acquire_owned()
        .await
        .expect("a free permit");
    let waiting = semaphore(&second, 1, strategy, LONG);
    let released = async {
        while waiting.status().await.expect("a status is answered").waiters_total == 0 {
            lab.sleep(Duration::from_millis(5)).await;
        }
        let at = lab.now();
        permit.release().await.expect("a permit is given back");
        at
    };

    let (acquired, released_at) = tokio::join!(waiting.acquire(), released);

    let _permit = acquired.expect("the permit is free");
    let took = lab.elapsed_since(released_at);
    assert!(
        took < Duration::from_secs(1),
        "{took:?}, and looks for itself only after 2 s"
    );
}

pub(super) async fn tasks_that_share_a_handle_exclude_each_other(lab: Lab) {
    let client = lab.client();
    let mutex = client
        .mutex("name")
        .ttl(LONG)
        .failover_grace(Duration::ZERO)
        .build()
        .expect("a good configuration");
    let inside = AtomicU32::new(0);
    let (lab, inside, mutex) = (&lab, &inside, &mutex);
    let tasks = (0..3).map(|_| async move {
        let permit = mutex.lock().await.expect("everyone gets a turn");
        assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
        lab.sleep(Duration::from_millis(10)).await;
        inside.fetch_sub(1, Ordering::SeqCst);
        drop(permit);
    });

    lab.in_time("three tasks", join_all(tasks)).await;
}

pub(super) async fn closing_gives_everything_back(lab: Lab) {
    let client = lab.client();
    let semaphore = semaphore(&client, 3, Strategy::Queue, LONG);
    let permits = [
        semaphore.acquire().await,
        semaphore.acquire().await,
        semaphore.acquire().await,
    ];
    let waiting = semaphore.acquire();

    let (closed, waited) = tokio::join!(
        async {
            while lab.status(&lab.claim(3)).await.waiters_total == 0 {
                lab.sleep(Duration::from_millis(5)).await;
            }
            client.close().await
        },
        waiting
    );

    assert!(matches!(waited.unwrap_err(), Error::Closed));
    assert_eq!((closed.returned, closed.abandoned), (3, 0));
    assert!(permits.iter().flatten().all(|permit| !permit.is_held()));
    assert!(matches!(semaphore.try_acquire().await.unwrap_err(), Error::Closed));
    nothing_is_left(&lab).await;
}
