//! Keeping leases on a real server: blocked and ended runtimes, stopped servers, errors while refreshing.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use semafence::{Client, Error, LossReason, Standing};
use semafence_redis::Redis;
use xtask::{Server, servers};

use support::{client, until};

fn used(server: &Server, name: &str) -> i64 {
    let key = format!("{{semafence:{name}}}:leases");
    server.command(&["ZCARD", &key]).int().unwrap()
}

/// SCENARIOS 22.
#[tokio::test(flavor = "current_thread")]
async fn a_runtime_that_is_blocked_for_three_refresh_intervals_loses_nothing() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let ttl = Duration::from_millis(2400);
    let semaphore = client(&server).semaphore("blocked", 1).ttl(ttl).build().unwrap();
    let permit = semaphore.acquire().await.unwrap();

    std::thread::sleep(ttl + ttl / 3);

    assert!(permit.is_held());
    assert_eq!(permit.release().await.unwrap(), Standing::Held);
}

/// SCENARIOS 23.
#[test]
fn permits_dropped_just_before_the_runtime_ends_are_released() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let semaphore = client(&server).semaphore("dropped", 100).build().unwrap();
        let mut permits = Vec::new();
        for _ in 0..100 {
            permits.push(semaphore.acquire_owned().await.unwrap());
        }
        assert_eq!(used(&server, "dropped"), 100);
    });
    let start = Instant::now();
    drop(runtime);

    assert_eq!(used(&server, "dropped"), 0, "released, and not left to a ttl of 30 s");
    println!(
        "100 of 100 released within {:?} of the end of the runtime",
        start.elapsed()
    );
}

/// SCENARIOS 19, 53: a predecessor is told 22–75 s late.
#[tokio::test]
async fn a_stopped_server_is_told_before_the_lease_can_end() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let ttl = Duration::from_millis(2400);
    let semaphore = client(&server).semaphore("hung", 1).ttl(ttl).build().unwrap();
    let permit = semaphore.acquire().await.unwrap();
    tokio::time::sleep(ttl).await;
    let last_refresh_at_the_latest = Instant::now();
    server.stop();

    permit.at_risk().await;
    let warned = last_refresh_at_the_latest.elapsed();
    assert!(permit.is_held());
    let reason = permit.lost().await;
    let told = last_refresh_at_the_latest.elapsed();
    server.cont();

    println!("warned after {warned:?}, lost after {told:?} of a ttl of {ttl:?}");
    assert_eq!(reason, LossReason::Expired);
    assert!(
        told < ttl,
        "{told:?} is later than {ttl:?} after the last good refresh was sent"
    );
    assert!(!permit.is_held());
}

/// SCENARIOS 17.
#[tokio::test]
async fn two_failed_refreshes_and_then_a_good_one_lose_nothing() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let ttl = Duration::from_millis(3000);
    let losses = Arc::new(AtomicUsize::new(0));
    let told = Arc::clone(&losses);
    let client = Client::builder(Redis::from_url(&server.url()).unwrap())
        .on_lost(move |_| {
            told.fetch_add(1, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    let semaphore = client
        .semaphore("hiccup", 1)
        .ttl(ttl)
        .refresh_interval(ttl / 6)
        .build()
        .unwrap();
    let permit = semaphore.acquire().await.unwrap();

    // A refresh takes at most ttl/6, so two of them fail in half a ttl.
    server.stop();
    tokio::time::sleep(ttl / 2).await;
    server.cont();
    tokio::time::sleep(ttl).await;

    assert!(permit.is_held());
    assert_eq!(losses.load(Ordering::SeqCst), 0);
    assert_eq!(permit.release().await.unwrap(), Standing::Held);
}

/// SCENARIOS 18.
#[tokio::test]
async fn a_right_that_is_taken_away_loses_the_permit_at_the_next_refresh() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    server.command(&["ACL", "SETUSER", "worker", "on", ">secret", "~*", "&*", "+@all"]);
    let url = server.url().replace("redis://", "redis://worker:secret@");
    let client = Client::new(Redis::from_url(&url).unwrap()).unwrap();
    let ttl = Duration::from_secs(3);
    let semaphore = client
        .semaphore("denied", 1)
        .ttl(ttl)
        .refresh_interval(ttl / 10)
        .strict(true)
        .build()
        .unwrap();
    let permit = semaphore.acquire().await.unwrap();
    let start = Instant::now();

    server.command(&["ACL", "SETUSER", "worker", "-evalsha", "-eval"]);

    assert_eq!(permit.lost().await, LossReason::Refused);
    assert!(
        start.elapsed() < ttl / 2,
        "{:?}: at once, and not at the deadline",
        start.elapsed()
    );
    let error = permit.release().await.unwrap_err();
    assert!(
        matches!(
            error,
            Error::Lost {
                reason: LossReason::Refused,
                ..
            }
        ),
        "{error}"
    );
}

/// SCENARIOS 16, 29.
#[tokio::test]
async fn a_deleted_record_is_told_within_one_refresh_interval_and_tokens_go_on() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let ttl = Duration::from_secs(3);
    let semaphore = client(&server).semaphore("deleted", 1).ttl(ttl).build().unwrap();
    let mut tokens = Vec::new();
    for command in [
        &["FLUSHALL"][..],
        &["DEL", "{semafence:deleted}:state"],
        &["DEL", "{semafence:deleted}:leases"],
    ] {
        let permit = semaphore.acquire().await.unwrap();
        tokens.push(permit.token());
        let start = Instant::now();

        server.command(command);

        assert_eq!(permit.lost().await, LossReason::Forgotten);
        assert!(
            start.elapsed() < ttl / 3 + Duration::from_millis(500),
            "{:?}",
            start.elapsed()
        );
    }
    tokens.push(semaphore.acquire().await.unwrap().token());

    assert!(tokens.is_sorted_by(|earlier, later| earlier < later), "{tokens:?}");
}

/// SCENARIOS 29, 38.
#[tokio::test]
async fn a_restart_without_persistence_is_told_and_tokens_go_on() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let semaphore = client(&server)
        .semaphore("restarted", 1)
        .ttl(Duration::from_secs(3))
        .build()
        .unwrap();
    let permit = semaphore.acquire().await.unwrap();
    let token = permit.token();

    server.kill();
    server.restart().unwrap();

    assert_eq!(permit.lost().await, LossReason::Forgotten);
    assert!(semaphore.acquire().await.unwrap().token() > token);
}

#[tokio::test]
async fn a_restart_is_counted_as_a_failover_and_a_lost_connection_is_not() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = client(&server);
    let connections = || {
        server.info("stats")["total_connections_received"]
            .parse::<u64>()
            .unwrap()
    };
    let permit = client.mutex("counted").build().unwrap().lock_owned().await.unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;

    let before = connections();
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    until("the keeper is back", || connections() > before).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(client.stats().failovers, 0);

    server.kill();
    server.restart().unwrap();
    until("the restart is counted", || client.stats().failovers > 0).await;
    assert_eq!(client.stats().failovers, 1);
    assert_eq!(permit.lost().await, LossReason::Forgotten);
}

#[tokio::test]
async fn with_a_grace_a_restart_without_persistence_costs_nobody_a_permit() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let ttl = Duration::from_secs(2);
    let semaphore = client(&server)
        .semaphore("restarted", 2)
        .ttl(ttl)
        .failover_grace(ttl)
        .build()
        .unwrap();
    let held = semaphore.acquire().await.unwrap();

    server.kill();
    server.restart().unwrap();
    let restarted = Instant::now();
    let next = semaphore.acquire().await.unwrap();

    assert!(
        restarted.elapsed() >= ttl,
        "granted within the grace: {:?}",
        restarted.elapsed()
    );
    assert!(held.is_held());
    assert_eq!((held.slot(), next.slot()), (0, 1));
    assert!(next.token() > held.token());
    assert_eq!(held.release().await.unwrap(), Standing::Held);
}

/// SCENARIOS 54: a predecessor loses a healthy lease at the first of them.
#[tokio::test]
async fn a_server_that_cannot_write_for_a_moment_loses_nothing() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let ttl = Duration::from_secs(3);
    let semaphore = client(&server)
        .semaphore("transient", 1)
        .ttl(ttl)
        .refresh_interval(ttl / 10)
        .build()
        .unwrap();
    let permit = semaphore.acquire().await.unwrap();
    for (setting, bad, good) in [("min-replicas-to-write", "1", "0"), ("maxmemory", "1", "0")] {
        server.command(&["CONFIG", "SET", setting, bad]);
        tokio::time::sleep(ttl / 2).await;
        assert!(permit.is_held(), "{setting}");
        server.command(&["CONFIG", "SET", setting, good]);
        tokio::time::sleep(ttl / 2).await;
    }

    assert_eq!(permit.release().await.unwrap(), Standing::Held);
}

/// SCENARIOS 58: a predecessor fails at once.
#[tokio::test]
async fn a_wait_survives_a_restart_of_the_server() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let (first, second) = (client(&server), client(&server));
    let mutex = |client: &Client<Redis>| client.mutex("survivor").ttl(Duration::from_secs(2)).build().unwrap();
    let permit = mutex(&first).lock_owned().await.unwrap();
    let waiting = mutex(&second);
    let waiter = tokio::spawn(async move { waiting.lock_owned().await });
    let queue = ["ZCARD", "{semafence:survivor}:queue"];
    until("the waiter queues", || server.command(&queue).int() == Some(1)).await;

    server.kill();
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.restart().unwrap();

    let next = tokio::time::timeout(Duration::from_secs(10), waiter)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    assert!(next.token() > permit.token());
    assert!(!permit.is_held() || !next.is_held() || permit.lost().await == LossReason::Forgotten);
}

/// SCENARIOS 42.
#[tokio::test]
async fn a_forced_release_reaches_a_listening_holder_before_its_next_refresh() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = client(&server);
    let semaphore = client.semaphore("forced", 1).build().unwrap();
    let permit = semaphore.acquire().await.unwrap();
    // A wait makes the client listen.
    semaphore.acquire_timeout(Duration::from_millis(100)).await.unwrap_err();
    let start = Instant::now();

    client.force_release("forced", permit.holder()).await.unwrap();

    assert_eq!(permit.lost().await, LossReason::Forced);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// SCENARIOS 16, 42: the callback is called once for each loss, whatever it does.
#[tokio::test]
async fn a_callback_that_panics_is_called_again_for_the_next_loss() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let losses = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&losses);
    let client = Client::builder(Redis::from_url(&server.url()).unwrap())
        .on_lost(move |loss| {
            told.lock().unwrap().push(loss.token);
            panic!("a callback of the user's");
        })
        .build()
        .unwrap();
    let semaphore = client
        .semaphore("panics", 2)
        .ttl(Duration::from_secs(3))
        .build()
        .unwrap();
    let permits = [semaphore.acquire().await.unwrap(), semaphore.acquire().await.unwrap()];
    for permit in &permits {
        client.force_release("panics", permit.holder()).await.unwrap();
        permit.lost().await;
    }

    until("both losses are told", || {
        losses.lock().map_or_else(|e| e.into_inner().len(), |l| l.len()) == 2
    })
    .await;
}
