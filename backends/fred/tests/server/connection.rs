//! When a connection is replaced, and what that costs the caller.

use std::time::Duration;

use semafence_fred::script::Script;
use semafence_fred::{Attempt, Failure, Fred, LockBackend, Outcome, Queueing, Standing};
use tokio::runtime::{Builder, Runtime};
use xtask::Server;

use crate::support::{acquire, assert_error, claim, connections_made, fred, grant, on_every_server, options};

on_every_server! {
    async fn a_flushed_script_cache_is_not_noticed(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        fred.check().await.unwrap();
        let claims: Vec<_> = (0..5).map(|name| claim(&name.to_string())).collect();
        for claim in &claims {
            server.command(&["SCRIPT", "FLUSH"]);
            grant(&fred, claim).await;
        }
        server.command(&["SCRIPT", "FLUSH"]);

        let refreshed = fred.refresh(&claims).await;
        let again = fred.refresh(&claims).await;
        server.command(&["SCRIPT", "FLUSH"]);
        let released = fred.release(&claims[0]).await.unwrap();

        let held = |standing: &Result<_, _>| matches!(standing, Ok(Standing::Held));
        assert!(refreshed.iter().chain(&again).all(held), "{refreshed:?}");
        assert_eq!(released, Standing::Held);
        // One text brings the script back for all names.
        assert_eq!(server.calls()["eval"], 5 + 1 + 1);
    }
}

on_every_server! {
    async fn a_user_who_may_not_load_scripts_can_run_them(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        server.command(&["ACL", "SETUSER", "user", "on", ">pw", "~*", "&*", "+@all", "-script"]);
        let fred = Fred::new(options(&server).username("user").password("pw")).unwrap();
        let claim = claim("a");

        grant(&fred, &claim).await;
        let released = fred.release(&claim).await.unwrap();

        assert_eq!(released, Standing::Held);
    }
}

#[tokio::test]
async fn scripts_are_loaded_on_connect_and_only_where_they_are_missing() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };

    fred(&server).check().await.unwrap();
    let first = server.calls()["script|load"];
    fred(&server).check().await.unwrap();

    assert_eq!(first, Script::all().len() as u64);
    assert_eq!(server.calls()["script|load"], first);
}

on_every_server! {
    async fn killed_connections_are_replaced(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;

        let fred = fred(&server);
        let claim = claim("a");
        for _ in 0..20 {
            grant(&fred, &claim).await;
            server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
            // What was being sent when the connection fell may have been applied; that is all it may cost.
            if let Err(error) = fred.release(&claim).await {
                assert_error(&error, Failure::Transient, Outcome::Unknown, "failed before the answer");
                fred.release(&claim).await.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn a_connection_lost_while_idle_costs_no_error() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    let claim = claim("a");
    grant(&fred, &claim).await;

    server.restart().unwrap();
    // On one thread the end of the connection is seen as soon as nothing else is to be done.
    tokio::time::sleep(Duration::from_millis(10)).await;

    grant(&fred, &claim).await;
}

on_every_server! {
    async fn a_server_that_stands_still_is_left_after_two_timeouts_in_a_row(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let mut claim = claim("a");
        claim.ttl = Duration::from_millis(600);
        fred.check().await.unwrap();
        let before = connections_made(&server);

        server.stop();
        let first = acquire(&fred, &claim).await.unwrap_err();
        let second = acquire(&fred, &claim).await.unwrap_err();
        let third = acquire(&fred, &claim).await.unwrap_err();
        server.cont();
        grant(&fred, &claim).await;

        assert_error(&first, Failure::Transient, Outcome::Unknown, "no answer within 100ms");
        assert_error(&second, Failure::Transient, Outcome::Unknown, "no answer within 100ms");
        assert_error(&third, Failure::Transient, Outcome::NotApplied, "cannot connect to 127.0.0.1:");
        assert_eq!(connections_made(&server), before + 1);
    }
}

#[tokio::test]
async fn one_pause_with_many_requests_under_way_costs_no_connection() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    fred.check().await.unwrap();
    let before = connections_made(&server);
    let mut claim = claim("a");
    claim.ttl = Duration::from_millis(600);

    server.stop();
    let requests = (0..20).map(|_| acquire(&fred, &claim));
    let answers = futures::future::join_all(requests).await;
    server.cont();
    grant(&fred, &claim).await;

    assert!(answers.iter().all(Result::is_err));
    assert_eq!(connections_made(&server), before);
}

#[tokio::test]
async fn callers_who_give_up_early_speak_against_a_silent_server_too() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    fred.check().await.unwrap();
    let before = connections_made(&server);
    let mut claim = claim("a");
    claim.ttl = Duration::from_millis(600);

    server.stop();
    for _ in 0..2 {
        let gave_up = tokio::time::timeout(Duration::from_millis(50), acquire(&fred, &claim)).await;
        assert!(gave_up.is_err());
    }
    server.cont();
    grant(&fred, &claim).await;

    assert_eq!(connections_made(&server), before + 1);
}

#[tokio::test]
async fn a_caller_who_gives_up_early_does_not_take_the_connecting_with_it() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    let before = connections_made(&server);
    let mut claim = claim("a");
    claim.ttl = Duration::from_millis(120);

    server.stop();
    for _ in 0..5 {
        let error = acquire(&fred, &claim).await.unwrap_err();
        assert_error(&error, Failure::Transient, Outcome::NotApplied, "within 20ms");
    }
    server.cont();
    claim.ttl = Duration::from_secs(30);
    grant(&fred, &claim).await;

    assert_eq!(connections_made(&server), before + 1);
}

#[test]
fn a_client_outlives_the_runtime_that_drove_its_connection() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };

    let fred = fred(&server);
    let claim = claim("a");
    let first = runtime();
    first.block_on(grant(&fred, &claim));
    drop(first);

    let released = runtime().block_on(fred.release(&claim));

    assert_eq!(released.unwrap(), Standing::Held);
}

#[test]
fn a_runtime_that_nobody_drives_any_more_is_left_like_a_silent_server() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    let mut claim = claim("a");
    claim.ttl = Duration::from_millis(600);
    let idle = runtime();
    idle.block_on(fred.check()).unwrap();

    let other = runtime();
    let answers: Vec<_> = (0..3).map(|_| other.block_on(acquire(&fred, &claim))).collect();

    assert_error(
        answers[0].as_ref().unwrap_err(),
        Failure::Transient,
        Outcome::Unknown,
        "no answer",
    );
    assert_error(
        answers[1].as_ref().unwrap_err(),
        Failure::Transient,
        Outcome::Unknown,
        "no answer",
    );
    assert!(matches!(answers[2], Ok(Attempt::Granted(_))), "{:?}", answers[2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_first_requests_open_one_connection_and_a_keeper_another() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    let before = connections_made(&server);

    let requests = (0..50).map(|number| {
        let fred = fred.clone();
        tokio::spawn(async move { grant(&fred, &claim(&number.to_string())).await })
    });
    futures::future::join_all(requests).await;
    let shared = connections_made(&server) - before;
    let keeper = fred.keeper_handle();
    keeper.time().await.unwrap();

    assert_eq!(shared, 1);
    assert_eq!(connections_made(&server) - before, 2);
}

#[tokio::test]
async fn five_thousand_leases_of_one_name_are_refreshed_in_one_go() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    let claims: Vec<_> = (0..5000)
        .map(|_| {
            let mut claim = claim("a");
            claim.limit = 5000;
            claim
        })
        .collect();
    let mut granted = Vec::new();
    // Not all at once: the last of them would wait for longer than an operation may take on a busy machine.
    for some in claims.chunks(250) {
        let attempts = some.iter().map(|claim| fred.acquire(claim, Queueing::Never));
        granted.extend(futures::future::join_all(attempts).await);
    }

    let refreshed = fred.refresh(&claims).await;

    assert!(granted.iter().all(|attempt| matches!(attempt, Ok(Attempt::Granted(_)))));
    assert!(refreshed.iter().all(|standing| matches!(standing, Ok(Standing::Held))));
}

#[tokio::test]
async fn the_server_clock_is_read() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let wall = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();

    let time = fred(&server).time().await.unwrap();

    assert!(time.as_millis().abs_diff(u64::try_from(wall.as_millis()).unwrap()) < 10_000);
}

#[tokio::test]
async fn an_operator_sees_resizes_and_takes_away() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    let claim = claim("a/ü{x}");
    let granted = grant(&fred, &claim).await;

    let before = fred.resize(&claim.name, Some(3)).await.unwrap();
    let status = fred.inspect(&claim.name).await.unwrap();
    let names = fred.list("test").await.unwrap();
    let taken = fred.force_release(&claim.name, claim.holder).await.unwrap();
    let refreshed = fred.refresh(std::slice::from_ref(&claim)).await.remove(0);

    assert_eq!(before, None);
    assert_eq!(status.limit_override, Some(3));
    assert_eq!(status.token, Some(granted.token));
    assert_eq!(status.holders[0].holder, claim.holder);
    assert_eq!(names, [claim.name]);
    assert_eq!(taken, Standing::Held);
    assert_eq!(refreshed.unwrap(), Standing::Forced);
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}
