//! What a client says of itself: `Client::stats`.

// Each of the tests takes what it needs of it.
#[allow(dead_code)]
mod scripted;

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use semafence::{
    Attempt, BackendError, Counts, Error, Failure, LossReason, NameStats, Outcome, Standing, Stats, Strategy,
};
use semafence_sim::{Client, Direction, Link, Mutex, Refused, Sim};

use scripted::{Scripted, grant};

const TTL: Duration = Duration::from_secs(3);
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn mutex(client: &Client) -> Mutex {
    client.mutex("name").ttl(TTL).build().unwrap()
}

fn of_name(client: &Client) -> NameStats {
    let stats = client.stats();
    let mut of_name = stats.names.into_iter().filter(|stats| stats.name.as_str() == "name");
    of_name.next().expect("the name is in use")
}

fn counts(client: &Client) -> Counts {
    of_name(client).counts
}

/// Held slots and waiters.
fn now(client: &Client) -> (u64, u64) {
    let of_name = of_name(client);
    (of_name.held, of_name.waiters)
}

/// Long enough for everything that is under way to arrive.
async fn settle() {
    tokio::time::sleep(MILLISECOND * 100).await;
}

fn play<F: Future<Output = ()>>(scenario: impl Fn(Sim) -> F) {
    for seed in 1..=5 {
        semafence_sim::run(seed, &scenario);
    }
}

#[test]
fn a_permit_is_counted_from_its_grant_to_its_release() {
    play(|sim| async move {
        let client = sim.client();
        let semaphore = client.semaphore("name", 5).ttl(TTL).build().unwrap();
        assert_eq!((of_name(&client).limit, client.stats().backend_up), (5, None));

        let permit = semaphore.acquire_many(3).await.unwrap();
        let during = of_name(&client);
        tokio::time::sleep(SECOND / 2).await;
        let token = permit.token();
        permit.release().await.unwrap();

        assert_eq!((during.held, during.waiters, during.token), (3, 0, Some(token)));
        assert!(during.lease_remaining_min > Some(SECOND * 2), "{during:?}");
        let after = of_name(&client);
        assert_eq!((after.held, after.lease_remaining_min), (0, None));
        let Counts {
            acquires,
            wait,
            hold,
            releases,
            ..
        } = after.counts;
        assert_eq!((acquires.granted, acquires.total()), (1, 1));
        assert_eq!((releases.released, releases.total()), (1, 1));
        assert_eq!((wait.count, hold.count), (1, 1));
        assert!(wait.total > Duration::ZERO && wait.total < MILLISECOND * 10, "{wait:?}");
        assert!(hold.mean() >= SECOND / 2 && hold.max < SECOND / 2 + MILLISECOND * 10);
        assert_eq!(client.stats().total, after.counts);
    });
}

/// SCENARIOS 66.
#[test]
fn many_handles_of_one_name_are_one_count_and_other_clients_have_their_own() {
    play(|sim| async move {
        let (client, other) = (sim.client(), sim.client());
        let build = |client: &Client| client.semaphore("name", 9).build().unwrap();
        let (one, two, three) = (build(&client), build(&client), build(&other));
        let clone = one.clone();

        let permits = [
            one.acquire_owned().await.unwrap(),
            two.acquire_owned().await.unwrap(),
            clone.acquire_owned().await.unwrap(),
        ];
        let _elsewhere = three.acquire_owned().await.unwrap();

        assert_eq!((now(&client), now(&other)), ((3, 0), (1, 0)));
        drop((one, two, clone));
        assert_eq!(now(&client), (3, 0));
        drop(permits);
        assert_eq!((now(&client), now(&other)), ((0, 0), (1, 0)));
    });
}

#[test]
fn a_waiter_is_counted_while_it_waits_however_that_ends() {
    for strategy in [Strategy::Queue, Strategy::Notify, Strategy::Poll] {
        play(|sim| async move {
            let client = sim.client();
            let permit = mutex(&client).lock_owned().await.unwrap();
            let waiting = client.mutex("name").ttl(TTL).strategy(strategy).build().unwrap();

            let timed = tokio::spawn({
                let waiting = waiting.clone();
                async move { waiting.lock_timeout(SECOND).await.map(drop) }
            });
            let cancelled = tokio::time::timeout(SECOND / 2, waiting.lock());
            let (cancelled, during) = tokio::join!(cancelled, async {
                settle().await;
                now(&client)
            });

            assert_eq!(during, (1, 2), "{strategy:?}");
            assert!(cancelled.is_err());
            assert_eq!(now(&client), (1, 1));
            assert!(matches!(timed.await.unwrap(), Err(Error::TimedOut { .. })));
            assert_eq!(now(&client), (1, 0));

            let served = tokio::spawn(async move { waiting.lock().await.map(drop) });
            settle().await;
            assert_eq!(now(&client), (1, 1));
            permit.release().await.unwrap();
            served.await.unwrap().unwrap();
            settle().await;

            let counts = counts(&client);
            assert_eq!(now(&client), (0, 0));
            assert_eq!((counts.acquires.granted, counts.wait.count), (2, 2));
            assert_eq!((counts.acquires.timed_out, counts.acquires.cancelled), (1, 1));
            assert_eq!((counts.acquires.total(), counts.returns.abandoned), (4, 0));
            assert!(counts.wait.max > SECOND / 20, "{:?}", counts.wait);
        });
    }
}

#[test]
fn an_acquire_is_in_one_count_whatever_moment_it_is_dropped_at() {
    play(|sim| async move {
        let client = sim.client();
        for moment in 0..20 {
            let mutex = mutex(&client);
            // Dropped before or after the grant.
            let _permit_or_none = tokio::time::timeout(MILLISECOND * moment / 4, mutex.lock()).await;
        }
        settle().await;

        let counts = counts(&client);
        assert_eq!(now(&client), (0, 0));
        assert_eq!(counts.acquires.total(), 20);
        assert_eq!(counts.acquires.granted + counts.acquires.cancelled, 20);
        assert!(counts.acquires.cancelled > 0 && counts.acquires.granted > 0);
        assert_eq!(counts.hold.count, counts.acquires.granted);
        assert_eq!(counts.releases.dropped, counts.acquires.granted);
    });
}

#[test]
fn an_attempt_that_finds_nothing_free_is_busy_and_never_waits() {
    play(|sim| async move {
        let client = sim.client();
        let mutex = mutex(&client);
        let _permit = mutex.lock().await.unwrap();

        assert!(mutex.try_lock().await.unwrap().is_none());

        let acquires = counts(&client).acquires;
        assert_eq!((acquires.granted, acquires.busy, acquires.total()), (1, 1, 2));
        assert_eq!(now(&client), (1, 0));
    });
}

#[test]
fn a_dropped_permit_is_no_longer_held_and_its_return_is_counted() {
    play(|sim| async move {
        let client = sim.client();
        let permit = mutex(&client).lock_owned().await.unwrap();

        drop(permit);

        assert_eq!(now(&client), (0, 0));
        settle().await;
        let counts = counts(&client);
        assert_eq!((counts.releases.dropped, counts.releases.total()), (1, 1));
        assert_eq!((counts.returns.returned, counts.returns.total()), (1, 1));
        assert_eq!(counts.losses.total(), 0);
    });
}

#[test]
fn an_expired_lease_is_no_longer_held_although_its_permit_is_still_there() {
    play(|sim| async move {
        let client = sim.client();
        let permit = mutex(&client).lock_owned().await.unwrap();
        client.backend().process().partition();

        tokio::time::sleep(TTL * 2).await;

        let during = of_name(&client);
        assert_eq!((during.held, during.lease_remaining_min), (0, None));
        assert_eq!((during.counts.losses.expired, during.counts.losses.total()), (1, 1));
        assert!(during.counts.refreshes.failed > 1, "{during:?}");
        assert_eq!(during.counts.hold.count, 1);
        assert!(during.counts.hold.max < TTL);
        assert_eq!(client.stats().backend_up, Some(false));
        assert_eq!(during.counts.releases.total(), 0, "its holder has not parted with it");
        drop(permit);
        assert_eq!((counts(&client).releases.lost, counts(&client).hold.count), (1, 1));
        tokio::time::sleep(TTL * 2).await;
        assert_eq!(counts(&client).returns.abandoned, 1);
    });
}

#[test]
fn each_loss_is_counted_by_its_reason() {
    play(|sim| async move {
        let client = sim.client();
        let forced = mutex(&client).lock_owned().await.unwrap();
        client.force_release("name", forced.holder()).await.unwrap();
        assert_eq!(forced.lost().await, LossReason::Forced);
        settle().await;
        assert_eq!((counts(&client).losses.forced, now(&client)), (1, (0, 0)));

        let forgotten = mutex(&client).lock_owned().await.unwrap();
        sim.server().flush_all();
        assert_eq!(forgotten.lost().await, LossReason::Forgotten);
        settle().await;
        assert_eq!((counts(&client).losses.forgotten, now(&client)), (1, (0, 0)));
        assert_eq!(counts(&client).refreshes.forgotten, 1);

        let refused = mutex(&client).lock_owned().await.unwrap();
        sim.server().refuse(Refused::All, "NOPERM no rights");
        assert_eq!(refused.lost().await, LossReason::Refused);
        settle().await;
        sim.server().accept();
        assert_eq!((counts(&client).losses.refused, now(&client)), (1, (0, 0)));
        assert_eq!(counts(&client).refreshes.refused, 1);
        drop(refused);
        settle().await;

        let _closed = mutex(&client).lock_owned().await.unwrap();
        client.close().await;
        settle().await;
        assert_eq!((counts(&client).losses.closed, now(&client)), (1, (0, 0)));
        assert_eq!(counts(&client).losses.total(), 4);
        drop((forced, forgotten));
        assert_eq!(counts(&client).releases.lost, 3);
    });
}

/// The backend says with the release that the permit is gone: nobody is told of a loss, and the release says so.
#[test]
fn a_release_of_what_the_backend_has_forgotten_was_lost() {
    play(|sim| async move {
        let client = sim.client();
        let permit = mutex(&client).lock_owned().await.unwrap();
        sim.server().flush_all();

        assert_eq!(permit.release().await.unwrap(), Standing::Absent);

        let counts = counts(&client);
        assert_eq!((counts.releases.lost, counts.releases.total()), (1, 1));
        assert_eq!(counts.losses.total(), 0);
    });
}

#[test]
fn a_release_that_fails_or_is_cancelled_is_counted_once() {
    play(|sim| async move {
        let client = sim.client();
        let process = client.backend().process();
        let permit = mutex(&client).lock_owned().await.unwrap();
        process.cut(Link::Commands, Direction::Request);
        assert!(permit.release().await.is_err());
        assert_eq!((counts(&client).releases.failed, now(&client)), (1, (0, 0)));
        process.repair();

        let permit = mutex(&client).lock_owned().await.unwrap();
        let cancelled = tokio::time::timeout(Duration::ZERO, permit.release()).await;
        assert!(cancelled.is_err());

        settle().await;
        let counts = counts(&client);
        assert_eq!((counts.releases.cancelled, counts.releases.total()), (1, 2));
        assert_eq!((counts.hold.count, counts.returns.returned), (2, 2));
    });
}

#[test]
fn refreshes_count_those_of_the_keeper_and_those_by_hand() {
    play(|sim| async move {
        let client = sim.client();
        let permit = mutex(&client).lock_owned().await.unwrap();

        tokio::time::sleep(TTL * 2 + TTL / 6).await;
        let kept = counts(&client).refreshes;
        permit.refresh().await.unwrap();

        assert!((5..=7).contains(&kept.held), "{kept:?}");
        assert_eq!(counts(&client).refreshes.held, kept.held + 1);
        assert_eq!(counts(&client).refreshes.total(), kept.held + 1);
    });
}

/// SCENARIOS 20: the answer of a refresh that a release has overtaken says nothing.
#[test]
fn a_refresh_that_a_release_overtakes_counts_no_forgotten_permit() {
    play(|sim| async move {
        let client = sim.client();
        let permit = mutex(&client).lock_owned().await.unwrap();
        client.backend().process().hold(Link::Keeper, Direction::Request);
        tokio::time::sleep(TTL / 3 + TTL / 20).await;

        permit.release().await.unwrap();
        client.backend().process().deliver();
        tokio::time::sleep(TTL).await;

        assert_eq!(counts(&client).refreshes.total(), 0);
    });
}

#[test]
fn the_lease_that_ends_first_is_the_one_that_is_told() {
    play(|sim| async move {
        let client = sim.client();
        let build = |ttl| client.semaphore("name", 2).ttl(ttl).build().unwrap();
        let long = build(SECOND * 60).acquire_owned().await.unwrap();
        let short = build(TTL).acquire_owned().await.unwrap();

        let both = of_name(&client).lease_remaining_min.unwrap();
        assert_eq!(both, short.remaining());
        tokio::time::sleep(TTL * 2).await;
        assert_eq!(of_name(&client).lease_remaining_min.unwrap(), short.remaining());
        drop(short);
        assert_eq!(of_name(&client).lease_remaining_min.unwrap(), long.remaining());
    });
}

#[test]
fn a_call_that_is_not_answered_in_time_is_an_error_and_one_that_is_dropped_before_is_none() {
    play(|sim| async move {
        let client = sim.client();
        let mutex = mutex(&client);
        let process = client.backend().process();
        let acquires = |stats: Stats| {
            let command = stats.commands.into_iter().find(|command| command.verb == "acquire");
            command.expect("every verb is listed")
        };
        process.hold(Link::Commands, Direction::Reply);

        let early = tokio::time::timeout(TTL / 12, mutex.try_lock()).await;
        assert!(early.is_err());
        assert_eq!(client.stats().backend_up, None);
        assert_eq!(acquires(client.stats()).error.count, 0);
        assert!(mutex.try_lock().await.is_err());
        assert_eq!(client.stats().backend_up, Some(false));
        process.deliver();
        process.repair();
        mutex.lock().await.unwrap().release().await.unwrap();

        assert_eq!(client.stats().backend_up, Some(true));
        let acquires = acquires(client.stats());
        assert_eq!((acquires.ok.count > 0, acquires.error.count), (true, 1));
        assert!(acquires.error.max >= TTL / 6, "{acquires:?}");
        assert_eq!(
            (counts(&client).acquires.cancelled, counts(&client).acquires.failed),
            (1, 1)
        );
    });
}

#[test]
fn every_way_to_ask_the_backend_is_a_command() {
    play(|sim| async move {
        let client = sim.client();
        let mutex = mutex(&client);
        let permit = mutex.lock().await.unwrap();
        assert!(mutex.lock_timeout(MILLISECOND * 100).await.is_err());
        tokio::time::sleep(TTL).await;
        client.time().await.unwrap();
        mutex.status().await.unwrap();
        client.status("name").await.unwrap();
        client.names().await.unwrap();
        client.resize("name", Some(7)).await.unwrap();
        mutex.as_semaphore().add_permits(1).await.unwrap();
        client.force_release("name", permit.holder()).await.unwrap();
        drop(permit);
        // There is none, which is an answer.
        let wanting = client.mutex("other").acks(1).build().unwrap();
        assert!(wanting.lock().await.is_err());

        for command in client.stats().commands {
            assert!(command.ok.count > 0, "{command:?}");
            assert_eq!(command.error.count, 0, "{command:?}");
        }
    });
}

#[test]
fn a_limit_that_was_resized_shows_at_the_next_grant() {
    play(|sim| async move {
        let client = sim.client();
        client.resize("name", Some(7)).await.unwrap();
        let semaphore = client.semaphore("name", 2).build().unwrap();
        assert_eq!(of_name(&client).limit, 2);

        let _permit = semaphore.acquire().await.unwrap();

        assert_eq!(of_name(&client).limit, 7);
        client.resize("name", Some(1)).await.unwrap();
        assert!(semaphore.acquire_many(2).await.is_err());
        assert_eq!(counts(&client).acquires.oversized, 1);
    });
}

#[test]
fn waits_that_an_operator_or_closing_ends_are_counted_as_that() {
    play(|sim| async move {
        let client = sim.client();
        let mutex = mutex(&client);
        let _permit = mutex.lock().await.unwrap();
        let wait = |mutex: Mutex| tokio::spawn(async move { mutex.lock().await.map(drop) });
        let removed = wait(mutex.clone());
        settle().await;
        let waiter = client.status("name").await.unwrap().waiters[0].holder;
        client.force_release("name", waiter).await.unwrap();
        assert!(matches!(removed.await.unwrap(), Err(Error::Removed { .. })));
        let closed = wait(mutex.clone());
        settle().await;

        client.close().await;

        assert!(matches!(closed.await.unwrap(), Err(Error::Closed)));
        assert_eq!(now(&client), (0, 0));
        let acquires = counts(&client).acquires;
        assert_eq!((acquires.removed, acquires.closed, acquires.total()), (1, 1, 3));
    });
}

fn scripted(attempts: impl IntoIterator<Item = Result<Attempt, BackendError>>) -> semafence::Client<Scripted> {
    semafence::Client::new(Scripted::new(attempts)).unwrap()
}

#[test]
fn a_full_queue_and_a_backend_that_fails_for_good_are_counted_as_that() {
    let denied = BackendError::new(Failure::Refused, Outcome::NotApplied, "NOPERM");
    let client = scripted([Ok(Attempt::Full { waiters: 9 }), Err(denied)]);
    let mutex = client.mutex("name").build().unwrap();

    assert!(mutex.lock().now_or_never().unwrap().is_err());
    assert!(mutex.lock().now_or_never().unwrap().is_err());

    let acquires = client.stats().total.acquires;
    assert_eq!((acquires.queue_full, acquires.failed, acquires.total()), (1, 1, 2));
    assert_eq!(client.stats().names[0].waiters, 0);
    assert_eq!(
        client.stats().backend_up,
        Some(true),
        "it has answered, if only to refuse"
    );
}

#[test]
fn a_token_that_goes_back_is_counted_and_granted_all_the_same() {
    let client = scripted([10, 11, 7, 11, 12].map(|token| Ok(grant(token))));
    let semaphore = client.semaphore("name", 9).build().unwrap();
    let take = || semaphore.try_acquire().now_or_never().unwrap().unwrap().unwrap();
    let regressions = || client.stats().total.token_regressions;

    let _grown = (take(), take());
    assert_eq!(regressions(), 0);
    let gone_back = take();
    assert_eq!((gone_back.token().as_u64(), regressions()), (7, 1));
    let _the_same = take();
    assert_eq!(regressions(), 2);
    let _higher = take();

    assert_eq!(regressions(), 2);
    assert_eq!(client.stats().names[0].token.unwrap().as_u64(), 12);
}

/// Grants come back in any order: a lower token that was asked for before the higher one was seen has not gone back.
#[tokio::test]
async fn grants_that_overtake_each_other_are_no_regression() {
    let backend = Scripted::new([10, 11].map(|token| Ok(grant(token))));
    let overtaken = Arc::clone(&backend.first_is_held_up);
    let client = semafence::Client::new(backend).unwrap();
    let semaphore = client.semaphore("name", 9).build().unwrap();
    overtaken.hold();
    let mut first = Box::pin(semaphore.try_acquire());
    assert!(first.as_mut().now_or_never().is_none());

    let second = semaphore.try_acquire().now_or_never().unwrap().unwrap().unwrap();
    overtaken.let_go();
    let first = first.now_or_never().unwrap().unwrap().unwrap();

    assert!(first.token() < second.token());
    assert_eq!(client.stats().total.token_regressions, 0);
    assert_eq!(client.stats().names[0].token, Some(second.token()));
}

/// A program that makes up a name for each order does not grow; what it did is still in the total.
#[test]
fn names_that_nobody_uses_are_let_go_and_stay_in_the_total() {
    let client = scripted([Ok(grant(1))]);
    let mutex = client.mutex("kept").build().unwrap();
    let kept = mutex.try_lock().now_or_never().unwrap().unwrap().unwrap();
    let short = client.mutex("short").build().unwrap();
    assert!(
        short.try_lock().now_or_never().unwrap().is_err(),
        "nothing is left to be said"
    );
    drop(short);

    for order in 0..5000 {
        let _mutex = client.mutex(format!("order {order}")).build().unwrap();
    }

    let stats = client.stats();
    assert!(stats.names.len() <= 1002, "{}", stats.names.len());
    let kept_stats = stats.names.iter().find(|stats| stats.name.as_str() == "kept");
    assert_eq!(kept_stats.unwrap().held, 1);
    assert!(stats.names.iter().all(|stats| stats.name.as_str() != "short"));
    assert_eq!((stats.total.acquires.granted, stats.total.acquires.failed), (1, 1));
    drop(kept);
}
