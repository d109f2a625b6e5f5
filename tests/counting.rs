//! Counting: how many permits there are and are free, more of them, and permits without a guard.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use semafence::{Error, LossReason, Outcome};
use semafence_sim::{Direction, Link, Semaphore, Sim};

const TTL: Duration = Duration::from_secs(3);
const SECOND: Duration = Duration::from_secs(1);

fn play<F: Future<Output = ()>>(scenario: impl Fn(Sim) -> F) {
    for seed in 1..=5 {
        semafence_sim::run(seed, &scenario);
    }
}

fn semaphore(client: &semafence_sim::Client, limit: u32) -> Semaphore {
    client.semaphore("name", limit).ttl(TTL).build().unwrap()
}

/// SCENARIOS 40, 41.
#[test]
fn free_permits_are_those_of_the_limit_in_force_that_nobody_holds() {
    play(|sim| async move {
        let (client, other) = (sim.client(), sim.client());
        let semaphore = semaphore(&client, 3);
        assert_eq!(
            (
                semaphore.limit().await.unwrap(),
                semaphore.available_permits().await.unwrap()
            ),
            (3, 3)
        );

        let permit = semaphore.acquire_many(2).await.unwrap();
        assert_eq!(semaphore.available_permits().await.unwrap(), 1);
        assert_eq!(
            other
                .semaphore("name", 9)
                .build()
                .unwrap()
                .available_permits()
                .await
                .unwrap(),
            7
        );
        assert_eq!(semaphore.resize(Some(4)).await.unwrap(), None);
        assert_eq!(
            (
                semaphore.limit().await.unwrap(),
                semaphore.available_permits().await.unwrap()
            ),
            (4, 2)
        );
        assert_eq!(semaphore.resize(Some(1)).await.unwrap(), Some(4));
        assert_eq!(semaphore.available_permits().await.unwrap(), 0);
        assert!(permit.is_held());
        assert_eq!(semaphore.resize(None).await.unwrap(), Some(1));
        assert_eq!(
            (
                semaphore.limit().await.unwrap(),
                semaphore.available_permits().await.unwrap()
            ),
            (3, 1)
        );
    });
}

/// SCENARIOS 41.
#[test]
fn a_mutex_is_locked_while_anybody_holds_it() {
    play(|sim| async move {
        let (client, other) = (sim.client(), sim.client());
        let (ours, theirs) = (
            client.mutex("name").build().unwrap(),
            other.mutex("name").build().unwrap(),
        );
        assert!(!ours.is_locked().await.unwrap());

        let permit = theirs.lock().await.unwrap();
        assert!(ours.is_locked().await.unwrap());
        permit.release().await.unwrap();

        assert!(!ours.is_locked().await.unwrap());
    });
}

/// SCENARIOS 8.
#[test]
fn permits_that_are_added_at_the_same_time_are_all_there() {
    play(|sim| async move {
        let (client, other) = (sim.client(), sim.client());
        let (ours, theirs) = (semaphore(&client, 1), semaphore(&other, 1));
        let _held = ours.acquire().await.unwrap();

        let (waited, first, second) = tokio::join!(
            theirs.acquire_many_timeout(1, TTL),
            ours.add_permits(1),
            theirs.add_permits(1)
        );

        let mut limits = [first.unwrap(), second.unwrap()];
        limits.sort_unstable();
        assert_eq!(limits, [2, 3]);
        assert!(waited.unwrap().is_held());
        assert_eq!(ours.limit().await.unwrap(), 3);
    });
}

fn assert_may_have_been_added(error: &Error) {
    let is_unknown = matches!(
        error,
        Error::Backend {
            outcome: Outcome::Unknown,
            operation: "add_permits",
            ..
        }
    );
    assert!(is_unknown, "{error}");
}

/// SCENARIOS 8.
#[test]
fn an_addition_whose_reply_was_lost_is_sent_again_and_counts_once() {
    play(|sim| async move {
        let client = sim.client();
        let semaphore = semaphore(&client, 1);
        client
            .backend()
            .process()
            .drop_next(Link::Commands, Direction::Reply, 2);

        assert_eq!(semaphore.add_permits(2).await.unwrap(), 3);

        assert_eq!(semaphore.limit().await.unwrap(), 3);
        let command = client
            .stats()
            .commands
            .into_iter()
            .find(|command| command.verb == "add_permits");
        let command = command.expect("every verb is listed");
        assert_eq!((command.ok.count, command.error.count), (1, 2));
    });
}

/// SCENARIOS 8.
#[test]
fn an_addition_that_is_never_answered_is_of_unknown_outcome() {
    play(|sim| async move {
        let client = sim.client();
        let semaphore = semaphore(&client, 1);
        client.backend().process().cut(Link::Commands, Direction::Reply);

        let error = semaphore.add_permits(1).await.unwrap_err();

        assert_may_have_been_added(&error);
        client.backend().process().repair();
        assert_eq!(semaphore.limit().await.unwrap(), 2);
    });
}

/// SCENARIOS 8.
#[test]
fn an_addition_that_went_unanswered_once_stays_of_unknown_outcome_whatever_is_said_later() {
    play(|sim| async move {
        let client = sim.client();
        let semaphore = semaphore(&client, 1);
        client
            .backend()
            .process()
            .drop_next(Link::Commands, Direction::Reply, 1);
        let refusal = async {
            tokio::time::sleep(SECOND).await;
            sim.server().refuse(semafence_sim::Refused::All, "NOPERM no rights");
        };

        let (added, ()) = tokio::join!(semaphore.add_permits(1), refusal);

        let error = added.unwrap_err();
        assert_may_have_been_added(&error);
    });
}

/// SCENARIOS 5, 44.
#[test]
fn counts_out_of_range_are_refused_and_name_their_field() {
    play(|sim| async move {
        let client = sim.client();
        let semaphore = semaphore(&client, 3);
        sim.server()
            .refuse(semafence_sim::Refused::All, "NOPERM nothing may be sent");

        let messages = [
            semaphore.add_permits(0).await.unwrap_err().to_string(),
            semaphore.add_permits(65_536).await.unwrap_err().to_string(),
            semaphore.release_many(0).await.unwrap_err().to_string(),
            semaphore.release_many(1).await.unwrap_err().to_string(),
            semaphore.resize(Some(0)).await.unwrap_err().to_string(),
        ];
        sim.server().accept();
        let too_many = semaphore.add_permits(65_534).await.unwrap_err().to_string();

        assert_eq!(
            messages,
            [
                "permits is 0, not within 1 to 65535",
                "permits is 65536, not within 1 to 65535",
                "permits is 0, not within 1 to those that are held and forgotten",
                "cannot release 1 of name, of which 0 are held and forgotten",
                "limit is 0, not within 1 to 65536",
            ]
        );
        assert_eq!(
            too_many,
            "permits is 65534, and the limit in force, 3, can be raised to 65536 at most"
        );
    });
}

/// SCENARIOS 8.
#[test]
fn a_forgotten_permit_is_kept_until_it_is_released_by_number() {
    play(|sim| async move {
        let (client, other) = (sim.client(), sim.client());
        let (semaphore, theirs) = (semaphore(&client, 2), semaphore(&other, 2));
        semaphore.acquire().await.unwrap().forget();
        semaphore.acquire().await.unwrap().forget();

        tokio::time::sleep(TTL * 4).await;
        assert_eq!(theirs.available_permits().await.unwrap(), 0);
        assert_eq!(client.stats().names[0].held, 2);
        semaphore.clone().release_many(1).await.unwrap();

        assert_eq!(theirs.available_permits().await.unwrap(), 1);
        let counts = client.stats().total;
        assert_eq!((counts.releases.released, counts.releases.total()), (1, 1));
        semaphore.release_many(1).await.unwrap();
        assert_eq!(theirs.available_permits().await.unwrap(), 2);
    });
}

/// SCENARIOS 8, 68.
#[test]
fn more_than_is_held_and_forgotten_is_not_released_and_nothing_else_is() {
    play(|sim| async move {
        let (client, other) = (sim.client(), sim.client());
        let (semaphore, theirs) = (semaphore(&client, 4), semaphore(&other, 4));
        let _guarded = semaphore.acquire().await.unwrap();
        semaphore.acquire_many(2).await.unwrap().forget();
        theirs.acquire().await.unwrap().forget();

        let error = semaphore.release_many(3).await.unwrap_err();

        assert!(
            matches!(
                error,
                Error::OverRelease {
                    permits: 3,
                    held: 2,
                    ..
                }
            ),
            "{error}"
        );
        assert!(!error.is_transient());
        assert_eq!(
            semaphore.release_many(1).await.unwrap_err().to_string(),
            "permits is 1, and permits that were acquired together go back together"
        );
        assert_eq!(theirs.available_permits().await.unwrap(), 0);
        semaphore.release_many(2).await.unwrap();
        assert_eq!(theirs.available_permits().await.unwrap(), 2);
    });
}

/// SCENARIOS 8, 41.
#[test]
fn a_forgotten_permit_that_is_lost_is_told_and_no_longer_there_to_be_released() {
    play(|sim| async move {
        let losses = Arc::new(Mutex::new(Vec::new()));
        let told = Arc::clone(&losses);
        let client = sim
            .client_builder()
            .on_lost(move |loss| told.lock().unwrap_or_else(PoisonError::into_inner).push(loss.reason))
            .build()
            .unwrap();
        let semaphore = semaphore(&client, 2);
        semaphore.acquire().await.unwrap().forget();
        let lost = semaphore.acquire().await.unwrap();
        client.force_release("name", lost.holder()).await.unwrap();
        lost.forget();

        tokio::time::sleep(TTL).await;

        assert_eq!(
            *losses.lock().unwrap_or_else(PoisonError::into_inner),
            [LossReason::Forced]
        );
        let error = semaphore.release_many(2).await.unwrap_err();
        assert!(matches!(error, Error::OverRelease { held: 1, .. }), "{error}");
        semaphore.release_many(1).await.unwrap();
        let releases = client.stats().total.releases;
        assert_eq!((releases.released, releases.lost), (1, 1));
    });
}

/// SCENARIOS 6, 55.
#[test]
fn closing_gives_forgotten_permits_back() {
    play(|sim| async move {
        let (client, other) = (sim.client(), sim.client());
        let semaphore = semaphore(&client, 2);
        semaphore.acquire_many(2).await.unwrap().forget();

        let closed = client.close().await;

        assert_eq!((closed.returned, closed.abandoned), (1, 0));
        assert_eq!(self::semaphore(&other, 2).available_permits().await.unwrap(), 2);
        for error in [
            semaphore.release_many(1).await.unwrap_err(),
            semaphore.add_permits(1).await.unwrap_err(),
            semaphore.resize(None).await.unwrap_err(),
            semaphore.available_permits().await.unwrap_err(),
        ] {
            assert!(matches!(error, Error::Closed), "{error}");
        }
    });
}

/// SCENARIOS 55.
#[test]
fn forgotten_permits_go_back_with_the_last_handle_of_their_client() {
    play(|sim| async move {
        let (client, other) = (sim.client(), sim.client());
        let semaphore = semaphore(&client, 2);
        semaphore.acquire().await.unwrap().forget();
        drop(client);
        tokio::time::sleep(TTL * 2).await;
        let theirs = self::semaphore(&other, 2);
        assert_eq!(theirs.available_permits().await.unwrap(), 1);

        drop(semaphore);
        tokio::time::sleep(SECOND / 10).await;

        assert_eq!(theirs.available_permits().await.unwrap(), 2);
    });
}

#[test]
fn many_forgotten_permits_that_were_lost_are_put_away() {
    play(|sim| async move {
        let client = sim.client();
        let semaphore = semaphore(&client, 100);
        for round in 1..=3 {
            for _ in 0..70 {
                semaphore.acquire().await.unwrap().forget();
            }
            sim.server().flush_all();
            tokio::time::sleep(TTL).await;
            assert_eq!(client.stats().total.losses.total(), round * 70);
        }

        assert!(
            client.stats().total.releases.lost >= 128,
            "{:?}",
            client.stats().total.releases
        );
        let error = semaphore.release_many(1).await.unwrap_err();
        assert!(matches!(error, Error::OverRelease { held: 0, .. }), "{error}");
        assert_eq!(client.stats().total.releases.lost, 210);
    });
}
