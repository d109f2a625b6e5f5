//! How a client finds the master, and what it says when it cannot.

use std::time::{Duration, Instant};

use semafence::{Error, Failure};
use semafence_redis::{Options, Redis, Sentinels, Tls};
use xtask::{Deployment, Node, RedisFixture};

use crate::support::{client, deployment, mutex, with_every_driver};

/// Sentinels by address, with what else is needed.
fn sentinels(deployment: &Deployment, service: &str) -> Sentinels {
    let nodes = deployment.sentinels().iter().map(|sentinel| sentinel.address());
    nodes.fold(Sentinels::new(service), |all, node| {
        all.node(node.ip().to_string(), node.port())
    })
}

async fn refused(options: Options) -> (Failure, String) {
    let error = Redis::new(options).unwrap().check().await.unwrap_err();
    println!("{error}");
    let Error::Backend { source, .. } = &error else {
        panic!("{error:?}")
    };
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    (source.failure(), source.to_string())
}

with_every_driver! {
    /// The first in the list, which a client that asks one after the other would wait for.
    async fn sentinels_that_hang_or_are_down_cost_next_to_nothing(driver) {
        let deployment = deployment().start_or_skip()?;
        deployment.sentinels()[0].stop();
        deployment.sentinels()[1].kill();

        let started = Instant::now();
        let permit = mutex(&client(driver, &deployment), "name").try_lock_owned().await.unwrap();

        let took = started.elapsed();
        println!("{took:?}");
        assert!(permit.is_some());
        assert!(took < Duration::from_millis(500), "{took:?}");
    }
}

with_every_driver! {
    async fn every_password_and_user_is_used(driver) {
        let deployment = deployment().password("of-servers").sentinel_user("watcher", "of-sentinels").start_or_skip()?;
        assert!(deployment.url().contains("sentinelPassword="), "{}", deployment.url());

        let permit = mutex(&client(driver, &deployment), "name").try_lock_owned().await.unwrap();

        assert!(permit.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_wrong_or_missing_is_refused_at_once() {
    let Some(deployment) = deployment()
        .replicas(0)
        .password("servers-secret")
        .sentinel_password("sentinels-secret")
        .start_or_skip()
    else {
        return;
    };
    let all = || sentinels(&deployment, "semafence");
    let started = Instant::now();

    let missing = refused(Options::sentinels(all()).password("servers-secret")).await;
    let wrong = refused(Options::sentinels(all().password("a secret")).password("servers-secret")).await;
    let of_server = refused(Options::sentinels(all().password("sentinels-secret")).password("a secret")).await;
    let right = Options::sentinels(all().password("sentinels-secret")).password("servers-secret");

    for (failure, text) in [missing, wrong] {
        assert_eq!(failure, Failure::Refused, "{text}");
        assert!(
            text.starts_with("no sentinel tells the master of `semafence`: "),
            "{text}"
        );
    }
    assert_eq!(of_server.0, Failure::Refused, "{}", of_server.1);
    assert!(
        of_server.1.contains(&deployment.master().port().to_string()),
        "{}",
        of_server.1
    );
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    Redis::new(right).unwrap().check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_no_sentinel_knows_is_told_at_once() {
    let Some(deployment) = deployment().replicas(0).start_or_skip() else {
        return;
    };

    let (failure, text) = refused(Options::sentinels(sentinels(&deployment, "orders"))).await;

    assert_eq!(failure, Failure::Permanent);
    assert!(text.contains("it knows no service `orders`"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_knows_too_few_others_is_not_believed() {
    let Some(deployment) = deployment().replicas(0).start_or_skip() else {
        return;
    };
    let believed = Options::sentinels(sentinels(&deployment, "semafence").min_others(2));
    let others = Options::sentinels(sentinels(&deployment, "semafence").min_others(3))
        .connect_timeout(Duration::from_millis(300));

    Redis::new(believed).unwrap().check().await.unwrap();
    let (failure, text) = refused(others).await;

    assert_eq!(failure, Failure::Transient);
    assert!(text.contains("it knows 2 other sentinels, not 3"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_that_are_all_gone_are_named_with_their_reasons_and_a_connection_goes_on_without_them() {
    let Some(deployment) = deployment().replicas(0).start_or_skip() else {
        return;
    };
    let connected = Redis::from_url(&deployment.url()).unwrap();
    connected.check().await.unwrap();

    deployment.sentinels().iter().for_each(|sentinel| sentinel.kill());
    let (failure, text) =
        refused(Options::sentinels(sentinels(&deployment, "semafence")).connect_timeout(Duration::from_millis(300)))
            .await;

    assert_eq!(failure, Failure::Transient);
    for address in deployment.sentinel_addresses() {
        assert!(text.contains(&format!("cannot connect to {address}: ")), "{text}");
    }
    connected.check().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_are_spoken_to_with_the_tls_of_the_servers_or_as_they_want_it() {
    let Some(deployment) = deployment().replicas(0).tls().start_or_skip() else {
        return;
    };
    let tls = || Tls::new().ca_pem(deployment.ca_pem());
    let all = || sentinels(&deployment, "semafence");

    let both = Redis::new(Options::from_url(&deployment.url()).unwrap().tls(tls())).unwrap();
    let each = Redis::new(Options::sentinels(all().tls(tls())).tls(tls())).unwrap();
    let (untrusted, text) = refused(Options::from_url(&deployment.url()).unwrap()).await;
    let (plain, _) = refused(
        Options::sentinels(all().without_tls())
            .tls(tls())
            .connect_timeout(Duration::from_millis(500)),
    )
    .await;

    both.check().await.unwrap();
    each.check().await.unwrap();
    assert_eq!(untrusted, Failure::Permanent, "{text}");
    assert_eq!(plain, Failure::Transient, "a TLS port hangs up on who speaks plainly");
}
