//! What fred does by default, and must not do here.

use std::time::{Duration, Instant};

use futures::StreamExt;
use semafence_fred::{Client, Failure, Fred, Inbox, LockBackend, LossReason, Outcome, Wakeup};
use xtask::Server;

use crate::support::{acquire, assert_error, claim, connections_made, fred, grant, on_every_server, options, until};

fn scripts_run(server: &Server) -> u64 {
    let calls = server.calls();
    ["eval", "evalsha"].iter().filter_map(|verb| calls.get(*verb)).sum()
}

fn is_connected(server: &Server) -> bool {
    let clients = server.try_command(&["CLIENT", "LIST"]);
    // Ours has named a library, or on older servers has asked for scripts last.
    clients.is_ok_and(|clients| {
        let text = clients.text();
        text.contains("lib-name=semafence-fred")
            || text.contains("cmd=script")
            || text.contains("cmd=client") && text.lines().count() > 1
    })
}

on_every_server! {
    async fn what_went_unanswered_is_not_sent_again_once_the_server_is_back(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        fred.check().await.unwrap();
        server.stop();
        let (backend, asked) = (fred.clone(), claim("a"));
        let request = tokio::spawn(async move { acquire(&backend, &asked).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        server.kill();
        let error = request.await.unwrap().unwrap_err();
        server.restart().unwrap();
        until(|| is_connected(&server)).await;
        tokio::time::sleep(Duration::from_millis(500)).await;

        assert_error(&error, Failure::Transient, Outcome::Unknown, "failed before the answer");
        assert_eq!(scripts_run(&server), 0);
    }
}

on_every_server! {
    async fn what_could_not_be_sent_does_not_run_as_a_ghost_later(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let mut hasty = claim("a");
        hasty.ttl = Duration::from_millis(600);
        fred.check().await.unwrap();
        server.kill();
        // Until the end of the connection is seen, a request may be written to it.
        tokio::time::sleep(Duration::from_millis(50)).await;
        for _ in 0..10 {
            let error = acquire(&fred, &hasty).await.unwrap_err();
            assert_eq!((error.failure(), error.outcome()), (Failure::Transient, Outcome::NotApplied), "{error}");
        }
        server.restart().unwrap();
        until(|| is_connected(&server)).await;
        tokio::time::sleep(Duration::from_millis(500)).await;

        assert_eq!(scripts_run(&server), 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verb_that_timed_out_on_a_connection_that_is_then_lost_runs_no_more() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    let mut hasty = claim("a");
    hasty.ttl = Duration::from_millis(600);
    fred.check().await.unwrap();
    server.stop();

    for _ in 0..5 {
        acquire(&fred, &hasty).await.unwrap_err();
    }
    server.kill();
    server.restart().unwrap();
    until(|| is_connected(&server)).await;
    tokio::time::sleep(Duration::from_millis(500)).await;

    assert_eq!(scripts_run(&server), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verb_answers_in_its_own_time_when_the_server_stands_still() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    let mut hasty = claim("a");
    hasty.ttl = Duration::from_millis(600);
    fred.check().await.unwrap();
    server.stop();

    let started = Instant::now();
    let error = acquire(&fred, &hasty).await.unwrap_err();
    let took = started.elapsed();

    assert_error(&error, Failure::Transient, Outcome::Unknown, "no answer within 100ms");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_connection_is_back_soon_also_after_a_long_time_and_while_nobody_asks() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    fred.check().await.unwrap();
    server.kill();
    // fred's own delays double: 3.2 s by now.
    tokio::time::sleep(Duration::from_secs(4)).await;

    server.restart().unwrap();
    let up = Instant::now();
    until(|| is_connected(&server)).await;
    let took = up.elapsed();

    println!("connected {took:?} after the server was up");
    assert!(took < Duration::from_millis(600), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_is_counted_as_a_failover_and_a_lost_connection_is_not() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let client = Client::new(fred(&server)).unwrap();
    let permit = client.mutex("counted").build().unwrap().lock_owned().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;

    let before = connections_made(&server);
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    until(|| connections_made(&server) > before).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(client.stats().failovers, 0);

    server.kill();
    server.restart().unwrap();
    until(|| client.stats().failovers > 0).await;
    assert_eq!(client.stats().failovers, 1);
    assert_eq!(permit.lost().await, LossReason::Forgotten);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_is_left_also_while_nobody_asks_again() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = Fred::new(options(&server).response_timeout(Duration::from_millis(100))).unwrap();
    fred.check().await.unwrap();
    let before = connections_made(&server);

    server.stop();
    acquire(&fred, &claim("a")).await.unwrap_err();
    tokio::time::sleep(Duration::from_millis(600)).await;
    server.cont();

    until(|| connections_made(&server) > before).await;
    grant(&fred, &claim("b")).await;
}

on_every_server! {
    async fn names_that_look_like_messages_are_listed_and_shift_no_answer(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let names = ["message", "subscribe", "unsubscribe"];
        for name in names {
            grant(&fred, &claim(name)).await;
        }

        for _ in 0..3 {
            let listed = fred.list("test").await.unwrap();
            let time = fred.time().await.unwrap();

            assert_eq!(listed.len(), names.len(), "{listed:?}");
            assert!(time.as_micros() > 0);
        }
    }
}

on_every_server! {
    async fn a_refused_subscription_is_told_and_harms_nobody_else(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let (allowed, refused) = (Inbox::from_bits(1), Inbox::from_bits(2));
        let channel = format!("&{}", allowed.channel());
        server.command(&["ACL", "SETUSER", "half", "on", ">pw", "~*", "resetchannels", &channel, "+@all"]);
        let fred = Fred::new(options(&server).username("half").password("pw")).unwrap();
        let mut wakeups = fred.notify(allowed).await.unwrap();
        let held = claim("a");
        grant(&fred, &held).await;

        for _ in 0..5 {
            let error = fred.notify(refused).await.err().unwrap();
            let standing = fred.refresh(std::slice::from_ref(&held)).await.remove(0);

            assert_error(&error, Failure::Refused, Outcome::NotApplied, "NOPERM");
            assert_eq!(standing.unwrap(), semafence_fred::Standing::Held);
        }
        let message = format!("g{}", held.holder);
        let look = tokio::spawn(async move { while wakeups.next().await.unwrap() == Wakeup::Missed {} });
        until(|| server.command(&["PUBLISH", &allowed.channel(), &message]).int() == Some(1)).await;

        let heard = tokio::time::timeout(Duration::from_secs(5), look).await;
        heard.expect("the other listener hears again").unwrap();
    }
}
