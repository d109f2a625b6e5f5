//! Claims, and what every test does with them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use semafence_redis::{
    Attempt, BackendError, Claim, Failure, Grant, HolderId, Inbox, LockBackend, Name, Options, Outcome, Queueing, Redis,
};
use xtask::Server;

/// One test per server flavor, in a module named after what they show.
macro_rules! on_every_server {
    ($(#[$doc:meta])* async fn $name:ident($flavor:ident) $body:block) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, reason = "not every body needs all of them")]
            use super::*;

            async fn run($flavor: xtask::Flavor) -> Option<()> {
                $body
                Some(())
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis_6_2() {
                let _skipped_is_fine = run(xtask::Flavor::Redis62).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis_7_0() {
                let _skipped_is_fine = run(xtask::Flavor::Redis70).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_redis_8_2() {
                let _skipped_is_fine = run(xtask::Flavor::Redis82).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn on_valkey_9_1() {
                let _skipped_is_fine = run(xtask::Flavor::Valkey91).await;
            }
        }
    };
}
pub(crate) use on_every_server;

pub(crate) fn options(server: &Server) -> Options {
    Options::tcp("127.0.0.1", server.port())
}

pub(crate) fn redis(server: &Server) -> Redis {
    Redis::new(options(server)).unwrap()
}

/// A claim of a fresh holder to the one permit of `name`.
pub(crate) fn claim(name: &str) -> Claim {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Claim {
        name: Name::new("test", name).unwrap(),
        holder: HolderId::from_bits(u128::from(NEXT.fetch_add(1, Ordering::Relaxed))),
        limit: 1,
        weight: 1,
        ttl: Duration::from_secs(30),
        window: Duration::from_secs(2),
        patience: Duration::from_secs(15),
        inbox: Inbox::from_bits(7),
        meta: Arc::from(""),
        client_time: None,
        stepless: false,
        doubtful: false,
        grace: Duration::ZERO,
        grant: None,
    }
}

pub(crate) async fn grant(redis: &Redis, claim: &Claim) -> Grant {
    match redis.acquire(claim, Queueing::Never).await.unwrap() {
        Attempt::Granted(grant) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

pub(crate) async fn acquire(redis: &Redis, claim: &Claim) -> Result<Attempt, BackendError> {
    redis.acquire(claim, Queueing::Never).await
}

/// Checks the three things that a caller can see of an error, and prints them.
#[track_caller]
pub(crate) fn assert_error(error: &BackendError, failure: Failure, outcome: Outcome, words: &str) {
    println!("{:?}, {}: {error}", error.failure(), error.outcome());

    assert_eq!((error.failure(), error.outcome()), (failure, outcome), "{error}");
    assert!(error.to_string().contains(words), "{words:?} is not in: {error}");
}

pub(crate) fn connections_made(server: &Server) -> u64 {
    server.info("stats")["total_connections_received"].parse().unwrap()
}

/// Waits for something that only the server knows, at most ten seconds.
pub(crate) async fn until(mut is_so: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !is_so() {
        assert!(started.elapsed() < Duration::from_secs(10), "it never came so");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
