//! The API for threads, on a real server.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use semafence::{Error, LossReason, Standing};
use semafence_redis::{Redis, blocking};
use xtask::servers;

#[test]
fn threads_share_a_limit_and_all_are_served() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = blocking::connect(&server.url()).unwrap();
    let printers = client.semaphore("printers", 3).build().unwrap();
    let (inside, most, done) = (AtomicU32::new(0), AtomicU32::new(0), AtomicU32::new(0));
    let work = || {
        for _ in 0..20 {
            let permit = printers.acquire().unwrap();
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(1));
            inside.fetch_sub(1, Ordering::SeqCst);
            assert_eq!(permit.release().unwrap(), Standing::Held);
            done.fetch_add(1, Ordering::SeqCst);
        }
    };

    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(work);
        }
    });

    assert_eq!(most.into_inner(), 3);
    assert_eq!(done.into_inner(), 160);
    assert!(printers.status().unwrap().holders.is_empty());
}

#[test]
fn a_taken_lock_is_contention_for_try_lock_and_a_timeout_for_a_timed_wait() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = blocking::connect(&server.url()).unwrap();
    let migration = client.mutex("migration").ttl(Duration::from_secs(5)).build().unwrap();
    let permit = migration.lock().unwrap();

    let tried = migration.try_lock().unwrap();
    let start = Instant::now();
    let waited = migration.lock_timeout(Duration::from_millis(150));

    assert!(tried.is_none());
    assert!(matches!(waited, Err(Error::TimedOut { .. })), "{waited:?}");
    assert!(start.elapsed() >= Duration::from_millis(150));
    drop(permit);
    let next = migration.lock_timeout(Duration::from_secs(5)).unwrap();
    assert!(next.is_held());
}

#[test]
fn a_permit_that_is_taken_by_force_is_lost_in_its_thread() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = blocking::connect(&server.url()).unwrap();
    let operator = blocking::connect(&server.url()).unwrap();
    let job = client.mutex("job").ttl(Duration::from_secs(3)).build().unwrap();
    let permit = job.lock().unwrap();
    assert_eq!(permit.lost_timeout(Duration::from_millis(20)).unwrap(), None);
    assert_eq!(permit.refresh().unwrap(), Standing::Held);

    assert_eq!(operator.force_release("job", permit.holder()).unwrap(), Standing::Held);

    assert_eq!(permit.lost().unwrap(), LossReason::Forced);
    let run = permit.run(|_| unreachable!("it is lost"));
    assert!(matches!(run, Err(Error::Lost { .. })), "{run:?}");
    assert_eq!(permit.release().unwrap(), Standing::Forced);
}

#[test]
fn work_that_outlives_its_permit_is_told() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = blocking::connect(&server.url()).unwrap();
    let job = client.mutex("job").ttl(Duration::from_secs(3)).build().unwrap();
    let permit = job.lock().unwrap();

    let run = permit.run(|permit| {
        client.force_release("job", permit.holder()).unwrap();
        permit.lost().unwrap()
    });

    assert!(matches!(run, Err(Error::Lost { .. })), "{run:?}");
    let next = job.lock().unwrap();
    assert_eq!(next.run(|permit| permit.slot()).unwrap(), 0);
}

#[test]
fn a_client_is_asked_about_its_server_and_closed() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = blocking::connect(&server.url()).unwrap();
    let wide = client.semaphore("wide", 2).build().unwrap();
    let both = wide.acquire_many(2).unwrap();

    assert_eq!(both.slots(), [0, 1]);
    assert!(client.time().unwrap().as_millis() > 0);
    assert_eq!(client.names().unwrap(), [wide.name().clone()]);
    assert_eq!(client.status("wide").unwrap().holders.len(), 1);
    assert_eq!(client.resize("wide", Some(5)).unwrap(), None);
    assert_eq!(client.resize("wide", None).unwrap(), Some(5));
    let closed = client.close();

    assert_eq!((closed.returned, closed.abandoned), (1, 0));
    assert_eq!(both.lost().unwrap(), LossReason::Closed);
    assert!(matches!(wide.try_acquire(), Err(Error::Closed)));
}

/// SCENARIOS 8, 40.
#[test]
fn a_thread_counts_permits_adds_some_and_gives_back_what_it_forgot() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = blocking::connect(&server.url()).unwrap();
    let semaphore = client.semaphore("counted", 2).build().unwrap();
    let mutex = client.mutex("locked").build().unwrap();
    semaphore.acquire_many(2).unwrap().forget();

    assert_eq!(semaphore.available_permits().unwrap(), 0);
    assert_eq!(semaphore.add_permits(3).unwrap(), 5);
    assert_eq!(
        (semaphore.limit().unwrap(), semaphore.available_permits().unwrap()),
        (5, 3)
    );
    assert!(matches!(
        semaphore.release_many(3),
        Err(Error::OverRelease { held: 2, .. })
    ));
    semaphore.release_many(2).unwrap();
    assert_eq!(semaphore.available_permits().unwrap(), 5);
    assert_eq!(semaphore.resize(None).unwrap(), Some(5));
    assert!(!mutex.is_locked().unwrap());
    let _locked = mutex.lock().unwrap();
    assert!(mutex.is_locked().unwrap());
}

#[tokio::test]
async fn a_thread_that_drives_async_tasks_must_not_wait_and_nothing_is_sent() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let semaphore = client(&server).semaphore("async", 1).build().unwrap();

    let called = std::panic::catch_unwind(AssertUnwindSafe(|| semaphore.blocking_acquire()));

    let message = *called.unwrap_err().downcast::<String>().unwrap();
    assert!(message.contains("in a thread that drives async tasks"), "{message}");
    assert!(
        message.contains("tokio::task::spawn_blocking"),
        "it names the way out: {message}"
    );
    assert_eq!(server.command(&["DBSIZE"]).int().unwrap(), 0);
    assert!(
        semaphore.try_acquire().await.unwrap().is_some(),
        "the client goes on as before"
    );
}

#[tokio::test]
async fn one_client_serves_async_tasks_and_the_threads_of_a_runtime() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let semaphore = client(&server).semaphore("both", 1).build().unwrap();
    let permit = semaphore.acquire().await.unwrap();
    let of_thread = semaphore.clone();
    let thread = tokio::task::spawn_blocking(move || {
        let permit = of_thread.blocking_acquire_timeout(Duration::from_secs(10)).unwrap();
        permit.blocking_release().unwrap()
    });
    while semaphore.status().await.unwrap().waiters.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    permit.release().await.unwrap();

    assert_eq!(thread.await.unwrap(), Standing::Held);
}

#[test]
fn a_call_that_panics_takes_nothing_else_along() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = blocking::connect(&server.url()).unwrap();
    let ttl = Duration::from_millis(600);
    let job = client.mutex("job").ttl(ttl).build().unwrap();
    let permit = job.lock().unwrap();

    let called = std::panic::catch_unwind(AssertUnwindSafe(|| {
        client.wait_for(async { panic!("on purpose") });
    }));
    std::thread::sleep(ttl * 2);

    assert_eq!(called.unwrap_err().downcast_ref(), Some(&"on purpose"));
    assert!(permit.is_held(), "the keeper goes on refreshing");
}

#[test]
fn a_wrong_address_is_told_at_once() {
    let refused = blocking::connect("redis://127.0.0.1:1/");
    let wrong = blocking::connect("http://127.0.0.1/");

    assert!(matches!(refused, Err(Error::Backend { .. })), "{refused:?}");
    assert!(matches!(wrong, Err(Error::Config { .. })), "{wrong:?}");
}

fn client(server: &xtask::Server) -> semafence::Client<Redis> {
    semafence::Client::new(Redis::from_url(&server.url()).unwrap()).unwrap()
}
