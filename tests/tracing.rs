//! What `tracing` is told.

mod told;

use std::time::Duration;

use semafence::Error;
use semafence_sim::{Client, Direction, Link, Mutex, Sim};
use told::Told;
use tracing::{Instrument, Level, Span, info_span};

const TTL: Duration = Duration::from_secs(3);
const SECOND: Duration = Duration::from_secs(1);

fn mutex(client: &Client) -> Mutex {
    client.mutex("name").ttl(TTL).build().unwrap()
}

/// Plays a scenario in a request of its program, and answers with what was told once all of its world is gone.
fn play<F: Future<Output = ()>>(scenario: impl FnOnce(Sim) -> F) -> Told {
    let told = Told::default();
    tracing::subscriber::with_default(told.subscriber(), || {
        semafence_sim::run(1, |sim| scenario(sim).instrument(info_span!("request")));
    });
    told
}

async fn settle() {
    tokio::time::sleep(SECOND / 10).await;
}

#[test]
fn an_acquire_and_its_permit_are_spans_of_the_request_one_after_the_other() {
    let told = play(|sim| async move {
        let semaphore = sim.client().semaphore("name", 3).ttl(TTL).build().unwrap();
        let permit = semaphore.acquire_many(2).await.unwrap();
        tokio::time::sleep(SECOND).await;
        permit.release().await.unwrap();
    });

    let acquire = told.span("acquire");
    assert_eq!(
        (acquire.level, acquire.target, acquire.within),
        (Level::DEBUG, "semafence", Some("request"))
    );
    assert_eq!(
        (
            acquire.field("name"),
            acquire.field("permits"),
            acquire.field("outcome")
        ),
        ("name", "2", "granted")
    );
    assert!(
        acquire.field("waited").ends_with('s') && acquire.is_closed,
        "{acquire:?}"
    );
    let hold = told.span("hold");
    assert_eq!(
        (hold.level, hold.target, hold.within),
        (Level::DEBUG, "semafence", Some("request"))
    );
    assert_eq!(
        (hold.field("name"), hold.field("slot"), hold.field("permits")),
        ("name", "0", "2")
    );
    assert_eq!((hold.field("end"), hold.is_closed), ("released", true));
    let granted = told.event("granted");
    assert_eq!(
        (granted.level, granted.target, granted.within),
        (Level::DEBUG, "semafence", Some("acquire"))
    );
    assert_eq!((granted.field("slots"), granted.field("limit")), ("[0, 1]", "3"));
    assert_eq!(granted.field("token"), hold.field("token"));
    let released = told.event("released");
    assert_eq!(
        (released.level, released.within, released.field("how")),
        (Level::DEBUG, Some("hold"), "released")
    );
}

#[test]
fn an_acquire_span_ends_before_the_permit_that_it_got() {
    let told = Told::default();
    tracing::subscriber::with_default(told.subscriber(), || {
        semafence_sim::run(1, |sim| {
            let told = told.clone();
            async move {
                let client = sim.client();
                let mutex = mutex(&client);
                let permit = mutex.lock().await.unwrap();

                assert!(told.span("acquire").is_closed && !told.span("hold").is_closed);
                drop(permit);
                settle().await;
                assert!(told.span("hold").is_closed);
                assert_eq!(told.span("hold").field("end"), "dropped");
            }
        });
    });
}

#[test]
fn a_wait_is_told_once_when_it_joins_the_queue() {
    let told = play(|sim| async move {
        let (first, second) = (sim.client(), sim.client());
        let (ours, theirs) = (mutex(&first), mutex(&second));
        let permit = ours.lock().await.unwrap();
        let release = async {
            tokio::time::sleep(SECOND * 10).await;
            permit.release().await.unwrap();
        };

        let (waited, ()) = tokio::join!(theirs.lock(), release);

        drop(waited);
    });

    let queued = told.event("queued");
    assert_eq!(
        (queued.level, queued.target, queued.within),
        (Level::DEBUG, "semafence", Some("acquire"))
    );
    assert_eq!((queued.field("place"), queued.field("waiters")), ("1", "1"));
    assert!(told.spans("acquire")[1].field("waited").starts_with("10."), "{told:#?}");
}

#[test]
fn an_acquire_that_comes_to_nothing_says_why() {
    let told = play(|sim| async move {
        let (first, second) = (sim.client(), sim.client());
        let _permit = mutex(&first).lock_owned().await.unwrap();
        let mutex = mutex(&second);
        assert!(mutex.try_lock().await.unwrap().is_none());
        assert!(mutex.lock_timeout(SECOND).await.is_err());
        assert!(tokio::time::timeout(SECOND, mutex.lock()).await.is_err());
    });

    let outcomes: Vec<_> = told
        .spans("acquire")
        .iter()
        .map(|span| span.field("outcome").to_owned())
        .collect();
    assert_eq!(outcomes, ["granted", "busy", "timed_out", "cancelled"]);
    assert!(told.spans("acquire").iter().all(|span| span.is_closed));
}

#[test]
fn a_loss_is_a_warning_in_the_span_of_its_permit() {
    let told = play(|sim| async move {
        let client = sim.client();
        let permit = mutex(&client).lock_owned().await.unwrap();
        client.backend().process().partition();
        permit.lost().await;
    });

    let lost = told.event("a permit was lost");
    assert_eq!(
        (lost.level, lost.target, lost.within),
        (Level::WARN, "semafence", Some("hold"))
    );
    assert_eq!(lost.field("reason"), "no refresh succeeded before the lease ended");
    assert_eq!(
        (lost.field("name"), lost.field("token")),
        ("name", told.span("hold").field("token"))
    );
    assert_eq!(told.span("hold").field("end"), "expired");
    assert_eq!(told.event("released").field("how"), "lost");
}

#[test]
fn a_refresh_that_is_refused_is_a_warning_and_one_that_may_pass_is_not() {
    let told = play(|sim| async move {
        let client = sim.client();
        let permit = mutex(&client).lock_owned().await.unwrap();
        client.backend().process().drop_next(Link::Keeper, Direction::Reply, 1);
        tokio::time::sleep(TTL).await;
        sim.server().refuse(semafence_sim::Refused::All, "NOPERM no rights");
        permit.lost().await;
    });

    let failed = told.event("a refresh failed; retrying until the lease ends");
    assert_eq!((failed.level, failed.within), (Level::DEBUG, Some("hold")));
    let refused = told.event("a refresh was refused");
    assert_eq!((refused.level, refused.within), (Level::WARN, Some("hold")));
    assert_eq!(refused.field("error"), "NOPERM no rights");
    assert_eq!(told.span("hold").field("end"), "refused");
}

#[test]
fn what_an_operator_changes_is_told_to_those_who_see_no_acquires() {
    let told = play(|sim| async move {
        let client = sim.client();
        let semaphore = client.semaphore("name", 3).ttl(TTL).build().unwrap();
        let permit = semaphore.acquire().await.unwrap();
        client.force_release("name", permit.holder()).await.unwrap();
        permit.lost().await;
        semaphore.resize(Some(5)).await.unwrap();
        semaphore.add_permits(2).await.unwrap();
    });

    let forced = told.event("released by force");
    assert_eq!(
        (forced.level, forced.target, forced.field("standing")),
        (Level::INFO, "semafence", "Held")
    );
    assert_eq!(forced.field("holder"), told.event("granted").field("holder"));
    assert_eq!(told.event("a permit was lost").field("reason"), "released by force");
    assert_eq!(told.span("hold").field("end"), "forced");
    let resized = told.event("the limit was changed");
    assert_eq!(
        (resized.level, resized.field("limit"), resized.field("before")),
        (Level::INFO, "5", "")
    );
    let added = told.event("permits were added");
    assert_eq!(
        (added.level, added.field("permits"), added.field("limit")),
        (Level::INFO, "2", "7")
    );
}

#[test]
fn programs_that_disagree_on_the_limit_are_told_of_once_whatever_the_number_of_handles() {
    let told = play(|sim| async move {
        let (first, second) = (sim.client(), sim.client());
        for _ in 0..3 {
            first.semaphore("name", 3).build().unwrap().try_acquire().await.unwrap();
            second
                .semaphore("name", 5)
                .build()
                .unwrap()
                .try_acquire()
                .await
                .unwrap();
        }
    });

    let differ = told.events("two programs disagree on the limit");
    let limits: Vec<_> = differ
        .iter()
        .map(|event| (event.field("ours"), event.field("theirs")))
        .collect();
    assert_eq!(limits, [("5", "3"), ("3", "5")]);
    assert!(
        differ
            .iter()
            .all(|event| event.level == Level::WARN && event.target == "semafence")
    );
}

#[test]
fn an_outage_is_told_once_however_many_wait_and_hold() {
    let told = play(|sim| async move {
        let client = sim.client();
        let semaphore = client.semaphore("name", 20).ttl(SECOND * 60).build().unwrap();
        let mut permits = Vec::new();
        for _ in 0..20 {
            permits.push(semaphore.acquire().await.unwrap());
        }
        let waits = futures::future::join_all((0..10).map(|_| semaphore.acquire_timeout(SECOND * 90)));
        let outage = async {
            tokio::time::sleep(SECOND).await;
            client.backend().process().partition();
            tokio::time::sleep(SECOND * 25).await;
            client.backend().process().repair();
            tokio::time::sleep(SECOND * 20).await;
            permits.clear();
        };

        let (waits, ()) = tokio::join!(waits, outage);

        assert!(waits.into_iter().all(|wait| wait.is_ok()));
    });

    let away = told.event("the backend does not serve");
    assert_eq!((away.level, away.target), (Level::WARN, "semafence"));
    assert!(
        !away.field("error").is_empty() && !away.field("verb").is_empty(),
        "{away:?}"
    );
    let back = told.event("the backend serves again");
    assert_eq!((back.level, back.target), (Level::INFO, "semafence"));
    assert_eq!(told.at(Level::WARN), ["the backend does not serve"]);
}

#[test]
fn acquires_permits_and_waits_are_nothing_to_a_service_that_shows_info() {
    let told = play(|sim| async move {
        let (first, second) = (sim.client(), sim.client());
        let (ours, theirs) = (mutex(&first), mutex(&second));
        for _ in 0..5 {
            let permit = ours.lock().await.unwrap();
            assert!(theirs.try_lock().await.unwrap().is_none());
            let (waited, _) = tokio::join!(theirs.lock(), permit.release());
            tokio::time::sleep(TTL).await;
            drop(waited);
        }
    });

    assert_eq!(told.at(Level::INFO), [""; 0]);
    assert_eq!(told.spans("acquire").len(), 15);
}

#[test]
fn no_span_is_entered_while_code_of_the_program_runs_unless_it_asks_for_that() {
    let name = || Span::current().metadata().map(tracing::Metadata::name);
    play(|sim| async move {
        let client = sim.client();
        let mutex = mutex(&client);
        let permit = mutex.lock().await.unwrap();

        assert_eq!(name(), Some("request"));
        assert_eq!(permit.run(async { name() }).await.unwrap(), Some("request"));
        let within = permit.run(async { name() }.instrument(permit.span().clone())).await;
        assert_eq!(within.unwrap(), Some("hold"));
    });
}

/// SCENARIOS 43.
#[test]
fn the_right_to_release_is_told_at_no_level() {
    let ids = std::sync::Mutex::new(Vec::new());
    let told = play(|sim| {
        let ids = &ids;
        async move {
            let (first, second) = (sim.client(), sim.client());
            let (ours, theirs) = (mutex(&first), mutex(&second));
            let permit = ours.lock().await.unwrap();
            let forced = async {
                tokio::time::sleep(SECOND).await;
                let waiter = first.status("name").await.unwrap().waiters[0].holder;
                first.force_release("name", waiter).await.unwrap();
                waiter
            };
            let (removed, waiter) = tokio::join!(theirs.lock(), forced);
            assert!(matches!(removed, Err(Error::Removed { .. })));
            ours.as_semaphore().add_permits(1).await.unwrap();
            second.backend().process().partition();
            assert!(theirs.try_lock().await.is_err());
            first.backend().process().partition();
            permit.lost().await;
            ids.lock().unwrap().extend([permit.holder(), waiter]);
        }
    });

    let text = format!("{told:?}");
    let ids = ids.into_inner().unwrap();
    assert_eq!(ids.len(), 2);
    for id in ids.iter().map(ToString::to_string) {
        assert!(text.contains(&id[..8]), "enough to find it in a status");
        assert!(!text.contains(&id[..9]), "{id} is in {text}");
    }
}

/// SCENARIOS 43.
#[tokio::test]
async fn a_password_is_told_at_no_level() {
    let told = Told::default();
    let _default = tracing::subscriber::set_default(told.subscriber());
    let redis = semafence_redis::Redis::from_url("redis://somebody:hunter2@127.0.0.1:1/").unwrap();
    let client = semafence::Client::new(redis).unwrap();
    let mutex = client.mutex("name").acquire_timeout(SECOND / 2).build().unwrap();

    assert!(mutex.lock().await.is_err());

    assert!(!told.events("an acquire failed; trying again").is_empty());
    assert_eq!(told.events("the backend does not serve").len(), 1);
    let text = format!("{told:?}");
    assert!(!text.contains("hunter2"), "{text}");
}
