//! A majority of three real servers, some of which hang or are killed.

use std::time::{Duration, Instant};

use semafence::{Client, Error, Quorum};
use semafence_redis::Redis;
use xtask::{Flavor, Server, servers};

const TTL: Duration = Duration::from_secs(6);

fn three() -> Option<Vec<Server>> {
    let flavors = [Flavor::Redis70, Flavor::Valkey91, Flavor::Redis62];
    flavors.into_iter().map(servers::server_or_skip).collect()
}

/// Without a grace, so that new servers serve at once.
fn client(servers: &[Server]) -> Client<Quorum<Redis>> {
    let nodes = servers.iter().map(|server| {
        let url = server.url();
        let name = format!("port {}", server.port());
        (name, Redis::from_url(&url).unwrap())
    });
    Client::new(Quorum::named(nodes).unwrap()).unwrap()
}

fn mutex(client: &Client<Quorum<Redis>>, name: &str) -> semafence::Mutex<Quorum<Redis>> {
    let builder = client.mutex(name).ttl(TTL).failover_grace(Duration::ZERO);
    builder.build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_hangs_or_is_killed_is_not_waited_for() {
    let Some(servers) = three() else { return };
    let client = client(&servers);
    let mutex = mutex(&client, "jobs");
    mutex.lock().await.unwrap().release().await.unwrap();

    let mut slowest = Vec::new();
    for state in 0..3 {
        match state {
            1 => servers[1].stop(),
            2 => {
                servers[1].cont();
                servers[1].kill();
            }
            _ => {}
        }
        let mut most = Duration::ZERO;
        for _ in 0..50 {
            let start = Instant::now();
            let permit = mutex.lock().await.unwrap();
            assert!(permit.is_held());
            permit.release().await.unwrap();
            most = most.max(start.elapsed());
        }
        slowest.push(most);
    }

    // A sixth of the ttl is what one verb may take, and half a second what peers wait.
    assert!(
        slowest.iter().all(|most| *most < Duration::from_millis(250)),
        "{slowest:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_most_are_killed_an_acquire_fails_in_time_and_leaves_nothing_on_the_survivor() {
    let Some(servers) = three() else { return };
    let client = client(&servers);
    let mutex = mutex(&client, "jobs");
    mutex.lock().await.unwrap().release().await.unwrap();
    servers[0].kill();
    servers[2].stop();
    let start = Instant::now();

    let error = mutex.try_lock().await.unwrap_err();

    assert!(start.elapsed() < TTL / 2, "{:?}", start.elapsed());
    let Error::Backend { source, .. } = &error else {
        panic!("{error}");
    };
    let missing = source.no_majority().expect("it says who is missing");
    let names: Vec<&str> = missing.failures.iter().map(|failure| &*failure.node).collect();
    let expected = [0, 2].map(|index: usize| format!("port {}", servers[index].port()));
    assert_eq!(names, expected, "{error}");
    servers[2].cont();
    let survivor = Client::new(Redis::from_url(&servers[1].url()).unwrap()).unwrap();
    let survivor = survivor.mutex("jobs").build().unwrap();
    let start = Instant::now();
    loop {
        let status = survivor.status().await.unwrap();
        if (status.holders_total, status.waiters_total) == (0, 0) {
            break;
        }
        assert!(start.elapsed() < Duration::from_secs(2), "{status:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_keeps_its_permit_while_servers_are_killed_and_come_back_one_by_one() {
    let Some(servers) = three() else { return };
    let (ours, theirs) = (client(&servers), client(&servers));
    let short = |client: &Client<Quorum<Redis>>| {
        let builder = client.mutex("jobs").ttl(Duration::from_millis(1_500));
        builder.build().unwrap()
    };
    let (ours, theirs) = (short(&ours), short(&theirs));
    let permit = ours.lock().await.unwrap();

    for server in &servers {
        server.kill();
        tokio::time::sleep(Duration::from_millis(700)).await;
        server.restart().unwrap();
        // The client has to connect again, then comes its grace, and the refresh after that.
        let is_on_record = || format!("{:?}", server.command(&["ZCARD", "{semafence:jobs}:leases"])).contains('1');
        let restarted = Instant::now();
        while !is_on_record() {
            assert!(restarted.elapsed() < Duration::from_secs(20), "it has not voted again");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let lost = tokio::time::timeout(Duration::ZERO, permit.lost()).await;
        assert!(permit.is_held(), "{lost:?}");
        assert!(theirs.try_lock().await.unwrap().is_none());
    }

    let token = permit.token();
    permit.release().await.unwrap();
    assert!(theirs.lock().await.unwrap().token() > token);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_server_under_two_names_is_found_out() {
    let Some(servers) = three() else { return };
    let twice = [("a", 0), ("b", 0), ("c", 1)].map(|(name, index): (&str, usize)| {
        let redis = Redis::from_url(&servers[index].url()).unwrap();
        (name, redis)
    });
    let quorum = Quorum::named(twice).unwrap();

    let error = quorum.check().await.unwrap_err();

    assert!(!error.is_transient());
    assert!(error.to_string().contains("a and b are one server"), "{error}");
    let keys = servers[0].command(&["KEYS", "*"]);
    assert!(!format!("{keys:?}").contains("quorum"), "{keys:?}");
}
