//! Waiting on a real server: what it costs, what survives, what a cancelled wait leaves behind.

mod support;

use std::time::{Duration, Instant};

use semafence::{Attempt, Claim, HolderId, Inbox, LockBackend, Queueing, Standing, Strategy};
use semafence_redis::Mutex;
use tokio::task::JoinHandle;
use xtask::{Server, servers};

use support::{client, until};

fn waiting(server: &Server, name: &str) -> i64 {
    let key = format!("{{semafence:{name}}}:queue");
    server.command(&["ZCARD", &key]).int().unwrap()
}

/// Tasks that lock a mutex and give it back at once.
fn line_up(mutex: &Mutex, count: u32) -> Vec<JoinHandle<Standing>> {
    let turn = |mutex: Mutex| async move { mutex.lock().await.unwrap().release().await.unwrap() };
    (0..count).map(|_| tokio::spawn(turn(mutex.clone()))).collect()
}

/// SplitMix64, so that a failure repeats.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits ^ (bits >> 31)
}

/// Waits with the precision of microseconds, which the runtime's timer does not have.
async fn spin(duration: Duration) {
    let start = Instant::now();
    while start.elapsed() < duration {
        tokio::task::yield_now().await;
    }
}

/// SCENARIOS 25, 62: predecessors leak 31 of 289.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_acquires_dropped_at_random_points_leave_nothing_behind() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = client(&server);
    let window = Duration::from_secs(2);
    let mut seed = 20_261_122;
    let (mut granted, mut dropped) = (0, 0);
    for round in 0..1000 {
        let strategy = [Strategy::Queue, Strategy::Notify][round % 2];
        let semaphore = client
            .semaphore(format!("dropped-{}", round % 4), 1)
            .strategy(strategy)
            .build()
            .unwrap();
        let patience = Duration::from_micros(random(&mut seed) % 900);
        tokio::select! {
            biased;
            permit = semaphore.acquire() => {
                granted += 1;
                drop(permit.unwrap());
            }
            () = spin(patience) => dropped += 1,
        }
    }
    let start = Instant::now();
    let left = || {
        (0..4)
            .flat_map(|name| ["queue", "wake"].map(|key| format!("{{semafence:dropped-{name}}}:{key}")))
            .map(|key| server.command(&["ZCARD", &key]).int().unwrap())
            .sum::<i64>()
    };
    loop {
        let mut holders = 0;
        for name in 0..4 {
            holders += client.status(&format!("dropped-{name}")).await.unwrap().holders_total;
        }
        if holders == 0 && left() == 0 {
            break;
        }
        assert!(
            start.elapsed() < window,
            "{holders} holders and {} waiters after a claim window",
            left()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }

    println!(
        "{dropped} dropped, {granted} granted; nothing left after {:?}",
        start.elapsed()
    );
    assert!(
        dropped > 100 && granted > 100,
        "the points cover both: {dropped} dropped, {granted} granted"
    );
    for name in 0..4 {
        let permit = client
            .mutex(format!("dropped-{name}"))
            .build()
            .unwrap()
            .try_lock_owned()
            .await
            .unwrap();
        assert!(permit.is_some(), "dropped-{name} is free");
    }
}

/// SCENARIOS 6, 65.
#[tokio::test]
async fn nothing_without_expiry_is_left_after_the_last_release() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = client(&server);
    let semaphore = client.semaphore("tidy", 2).build().unwrap();
    let permits = [semaphore.acquire().await.unwrap(), semaphore.acquire().await.unwrap()];
    semaphore.acquire_timeout(Duration::from_millis(50)).await.unwrap_err();
    for permit in permits {
        permit.release().await.unwrap();
    }
    client.close().await;

    let keys = server.command(&["KEYS", "*"]);
    let keys: Vec<String> = keys.items().iter().map(xtask::Reply::text).collect();
    for key in keys.iter().filter(|key| *key != "semafence:generation") {
        let ttl = server.command(&["PTTL", key]).int().unwrap();
        assert!((1..=4 * 3_600_000).contains(&ttl), "{key} has a ttl of {ttl} ms");
    }
    assert!(
        keys.iter()
            .all(|key| !key.ends_with(":leases") && !key.ends_with(":queue")),
        "{keys:?}"
    );
    let channels = ["PUBSUB", "CHANNELS", "*"];
    until("the subscription ends", || server.command(&channels).items().is_empty()).await;
}

/// SCENARIOS 13.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hand_over_takes_two_scripts_however_many_wait() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    for waiters in [1, 100] {
        let client = client(&server);
        let mutex = client.mutex(format!("handover-{waiters}")).build().unwrap();
        let permit = mutex.lock_owned().await.unwrap();
        let tasks = line_up(&mutex, waiters);
        let name = format!("handover-{waiters}");
        until("everyone queues", || waiting(&server, &name) == i64::from(waiters)).await;
        let before = server.calls()["evalsha"];

        permit.release().await.unwrap();
        for task in tasks {
            task.await.unwrap();
        }

        let scripts = server.calls()["evalsha"] - before;
        println!("{waiters} waiters: {scripts} scripts, the last release included");
        // Per hand-over one release and one confirmation, and the release of the last holder.
        assert!(
            scripts <= 2 * waiters as u64 + 2,
            "{scripts} scripts for {waiters} hand-overs"
        );
    }
}

/// SCENARIOS 14, 60: all connections of a waiting client are cut, and with them messages may be lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconnect_re_arms_every_waiter() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let (first, second) = (client(&server), client(&server));
    let permit = first.mutex("rearmed").build().unwrap().lock_owned().await.unwrap();
    let mutex = second
        .mutex("rearmed")
        .wakeup_fallback(Duration::from_secs(60))
        .build()
        .unwrap();
    let tasks = line_up(&mutex, 20);
    until("everyone queues", || waiting(&server, "rearmed") == 20).await;

    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    let start = Instant::now();
    permit.release().await.unwrap();
    for task in tasks {
        tokio::time::timeout(Duration::from_secs(20), task)
            .await
            .unwrap()
            .unwrap();
    }

    println!(
        "20 waiters served {:?} after their connections were cut",
        start.elapsed()
    );
}

/// Newcomers must not pass those whose places a server has lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_is_in_the_queue_again_soon_after_a_server_came_back_without_it() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let (first, second) = (client(&server), client(&server));
    let _permit = first.mutex("rejoined").build().unwrap().lock_owned().await.unwrap();
    let mutex = second.mutex("rejoined").build().unwrap();
    let tasks = line_up(&mutex, 20);
    until("everyone queues", || waiting(&server, "rejoined") == 20).await;
    let other = first.mutex("rejoined").build().unwrap();
    server.command(&["FLUSHALL"]);
    // Held by somebody else, so that nobody of the queue is served meanwhile.
    let _other = other.try_lock_owned().await.unwrap().expect("it is free");

    server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
    server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
    let start = Instant::now();
    until("everyone queues again", || waiting(&server, "rejoined") == 20).await;

    println!("all 20 are in the queue again after {:?}", start.elapsed());
    assert!(start.elapsed() < Duration::from_millis(1500), "{:?}", start.elapsed());
    tasks.iter().for_each(JoinHandle::abort);
}

/// SCENARIOS 57: one connection serves all waiters, so they cannot starve the holder's refresh.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_and_twenty_waiters_share_the_connections_and_the_holder_keeps_its_lease() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = client(&server);
    let before = connections(&server);
    let semaphore = client
        .semaphore("shared", 1)
        .ttl(Duration::from_millis(2400))
        .build()
        .unwrap();
    let permit = semaphore.acquire_owned().await.unwrap();
    let tasks: Vec<_> = (0..120)
        .map(|_| {
            let semaphore = semaphore.clone();
            tokio::spawn(async move { drop(semaphore.acquire().await.unwrap()) })
        })
        .collect();
    until("everyone queues", || waiting(&server, "shared") == 120).await;
    tokio::time::sleep(Duration::from_millis(4800)).await;

    assert!(permit.is_held());
    let opened = connections(&server) - before;
    assert!(opened <= 3, "{opened} connections");
    drop(permit);
    for task in tasks {
        task.await.unwrap();
    }
}

fn connections(server: &Server) -> i64 {
    server.info("clients")["connected_clients"].parse().unwrap()
}

/// SCENARIOS 71, 60: an idle waiter costs a look per claim window, not a poll.
#[tokio::test]
async fn an_idle_waiter_does_not_spin() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = client(&server);
    let mutex = client.mutex("idle").build().unwrap();
    let permit = mutex.lock_owned().await.unwrap();
    let waiter = tokio::spawn({
        let mutex = mutex.clone();
        async move { drop(mutex.lock().await.unwrap()) }
    });
    until("the waiter queues", || waiting(&server, "idle") == 1).await;
    let before = server.calls()["evalsha"];

    tokio::time::sleep(Duration::from_secs(5)).await;

    let looks = server.calls()["evalsha"] - before;
    assert!((1..=4).contains(&looks), "{looks} looks in 5 s");
    drop(permit);
    waiter.await.unwrap();
}

/// SCENARIOS 60: an expired holder is replaced when its lease ends, not a fallback interval later.
#[tokio::test]
async fn a_crashed_holder_is_replaced_when_its_lease_ends() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let ttl = Duration::from_secs(3);
    let survivor = client(&server);
    let semaphore = survivor.semaphore("crashed", 1).ttl(ttl).build().unwrap();
    // A process that died right after it was granted: nobody refreshes its claim.
    let claim = Claim {
        name: semaphore.name().clone(),
        holder: HolderId::from_bits(1),
        limit: 1,
        weight: 1,
        ttl,
        window: ttl,
        patience: ttl,
        inbox: Inbox::from_bits(1),
        meta: "".into(),
        client_time: None,
        stepless: false,
        doubtful: false,
        grace: Duration::ZERO,
        grant: None,
    };
    let granted = survivor.backend().acquire(&claim, Queueing::Never).await.unwrap();
    assert!(matches!(granted, Attempt::Granted(_)));
    let granted_at = Instant::now();

    let _permit = semaphore.acquire().await.unwrap();
    let took = granted_at.elapsed();

    println!("replaced {:?} after the lease ended", took.saturating_sub(ttl));
    assert!(
        (ttl - Duration::from_millis(50)..ttl + Duration::from_millis(300)).contains(&took),
        "{took:?}"
    );
}
