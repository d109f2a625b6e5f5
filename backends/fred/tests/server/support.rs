//! Claims, and what every test does with them.

use std::time::Duration;

use semafence_fred::{Attempt, BackendError, Claim, Failure, Fred, Grant, LockBackend, Options, Outcome, Queueing};
use xtask::Server;

#[path = "../support/mod.rs"]
mod shared;
pub(crate) use shared::claim;

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

pub(crate) fn fred(server: &Server) -> Fred {
    Fred::new(options(server)).unwrap()
}

pub(crate) async fn grant(fred: &Fred, claim: &Claim) -> Grant {
    match fred.acquire(claim, Queueing::Never).await.unwrap() {
        Attempt::Granted(grant) => grant,
        other => panic!("not granted: {other:?}"),
    }
}

pub(crate) async fn acquire(fred: &Fred, claim: &Claim) -> Result<Attempt, BackendError> {
    fred.acquire(claim, Queueing::Never).await
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
