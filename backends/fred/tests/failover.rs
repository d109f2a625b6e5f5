//! A master behind Sentinel, and what becomes of its clients when it is gone.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures::StreamExt;
use semafence_fred::{
    Attempt, BackendError, Claim, Failure, Fred, Inbox, LockBackend, Options, Outcome, Queueing, Tls, Wakeup,
};
use xtask::{Deployment, DeploymentBuilder, RedisFixture, Server};

mod support;
use support::claim;

const PATIENCE: Duration = Duration::from_secs(30);
/// On an idle machine it is a few milliseconds.
const SOON: Duration = Duration::from_millis(250);

async fn acquire(fred: &Fred, claim: &Claim) -> Result<Attempt, BackendError> {
    fred.acquire(claim, Queueing::Never).await
}

async fn grant(fred: &Fred, name: &str) {
    let attempt = acquire(fred, &claim(name)).await.unwrap();
    assert!(matches!(attempt, Attempt::Granted(_)), "{attempt:?}");
}

fn sentinels(deployment: &Deployment) -> Vec<(String, u16)> {
    let addresses = deployment.sentinel_addresses();
    let parsed = addresses.iter().map(|address| address.parse::<SocketAddr>().unwrap());
    parsed
        .map(|address| (address.ip().to_string(), address.port()))
        .collect()
}

fn options(deployment: &Deployment) -> Options {
    Options::sentinel(deployment.service(), sentinels(deployment))
}

fn start(builder: DeploymentBuilder) -> Option<(Deployment, Fred)> {
    let deployment = builder.start_or_skip()?;
    let fred = Fred::from_url(&deployment.url()).unwrap();
    Some((deployment, fred))
}

/// Asks again and again until the new master grants: when that was, how long after the announcement, and the errors.
async fn recovered(
    fred: &Fred,
    deployment: &Deployment,
    fail: impl FnOnce(&Server),
    serves: impl Fn(&Server, &Claim) -> bool,
) -> (Duration, Vec<BackendError>) {
    let announcements = deployment.announcements();
    let old = deployment.master();
    fail(old);
    let failed = Instant::now();
    let mut errors = Vec::new();
    let mut number = 0;
    let granted = loop {
        assert!(failed.elapsed() < PATIENCE, "no grant: {errors:?}");
        number += 1;
        let mut claim = claim(&format!("after {number}"));
        claim.ttl = Duration::from_secs(6);
        let attempt = acquire(fred, &claim).await;
        let answered = Instant::now();
        match attempt {
            // As long as nobody has said otherwise, the old master serves.
            Ok(_) if serves(old, &claim) => tokio::time::sleep(Duration::from_millis(1)).await,
            Ok(_) => break answered,
            Err(error) => {
                errors.push(error);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        }
    };
    let announced = announcements.next(PATIENCE).expect("an announcement").at;
    (granted.saturating_duration_since(announced), errors)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_master_is_followed_within_a_quarter_of_a_second_of_the_announcement() {
    let Some((deployment, fred)) = start(Deployment::any()) else {
        return;
    };
    grant(&fred, "before").await;

    let (took, errors) = recovered(&fred, &deployment, Server::kill, |_, _| false).await;

    println!(
        "killed: {took:?} after the announcement, {} errors before",
        errors.len()
    );
    assert!(errors.iter().all(BackendError::is_transient), "{errors:?}");
    let unknown = errors
        .iter()
        .filter(|error| error.outcome() == Outcome::Unknown)
        .count();
    assert!(unknown <= 1, "{errors:?}");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_stands_still_is_left_at_the_announcement() {
    let Some((deployment, fred)) = start(Deployment::any()) else {
        return;
    };
    grant(&fred, "before").await;

    let (took, errors) = recovered(&fred, &deployment, Server::stop, |_, _| false).await;

    println!(
        "stopped: {took:?} after the announcement, {} errors before",
        errors.len()
    );
    assert!(errors.iter().all(BackendError::is_transient), "{errors:?}");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_master_that_is_demoted_is_left() {
    let Some((deployment, fred)) = start(Deployment::any()) else {
        return;
    };
    grant(&fred, "before").await;
    let first = &deployment.sentinels()[0];

    let demote = |_: &Server| {
        let answer = first.command(&["SENTINEL", "FAILOVER", deployment.service()]);
        assert!(!answer.is_error(), "{answer}");
    };
    // Demoted and left are two things: the old one learns of it seconds later.
    let granted_it = |old: &Server, claim: &Claim| old.command(&["EXISTS", &claim.name.keys()[0]]).int() == Some(1);

    let (took, errors) = recovered(&fred, &deployment, demote, granted_it).await;

    println!("demoted: {took:?} after the announcement, errors before: {errors:?}");
    assert!(errors.iter().all(BackendError::is_transient), "{errors:?}");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_to_a_replica_is_left_for_the_master() {
    let Some((deployment, fred)) = start(Deployment::any()) else {
        return;
    };
    grant(&fred, "before").await;
    let old = deployment.master();

    // Nobody announces anything: the server itself says READONLY.
    let other = deployment.replicas()[0].port().to_string();
    old.command(&["REPLICAOF", "127.0.0.1", &other]);
    let error = acquire(&fred, &claim("a")).await.unwrap_err();
    let next = acquire(&fred, &claim("a")).await;

    println!("{error}; then {next:?}");
    assert_eq!(
        (error.failure(), error.outcome()),
        (Failure::Transient, Outcome::NotApplied)
    );
    assert!(error.to_string().contains("READONLY"), "{error}");
    if let Err(error) = next {
        assert!(
            error.is_transient() && error.outcome() == Outcome::NotApplied,
            "{error}"
        );
        assert!(error.to_string().contains("no master but a slave"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_that_hang_do_not_keep_from_connecting() {
    let Some((deployment, _)) = start(Deployment::any()) else {
        return;
    };
    for hung in [0, 1] {
        deployment.sentinels()[hung].stop();

        let started = Instant::now();
        let fred = Fred::connect(&deployment.url()).await.unwrap();
        let took = started.elapsed();

        println!("connected in {took:?} with {} of 3 sentinels hung", hung + 1);
        assert!(took < Duration::from_secs(1), "{took:?}");
        grant(&fred, &format!("a{hung}")).await;
    }
    deployment.sentinels()[2].stop();
    let error = Fred::new(options(&deployment).connect_timeout(Duration::from_millis(300)))
        .unwrap()
        .check()
        .await
        .unwrap_err();
    println!("{error}");
    assert!(error.is_transient());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_with_a_hung_sentinel_is_followed_too() {
    let Some((deployment, fred)) = start(Deployment::any()) else {
        return;
    };
    grant(&fred, "before").await;
    deployment.sentinels()[0].stop();

    let (took, _) = recovered(&fred, &deployment, Server::kill, |_, _| false).await;

    println!("killed, one sentinel hung: {took:?} after the announcement");
    assert!(took < SOON, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_and_sentinels_have_logins_of_their_own() {
    let Some((deployment, fred)) = start(
        Deployment::any()
            .password("swordfish")
            .sentinel_user("watcher", "hunter2"),
    ) else {
        return;
    };

    grant(&fred, "a").await;
    let login = options(&deployment).password("swordfish").sentinel_username("watcher");
    grant(&Fred::new(login.clone().sentinel_password("hunter2")).unwrap(), "b").await;
    let stranger = Fred::new(login.sentinel_password("swordfish")).unwrap();
    let silent = Fred::new(options(&deployment).password("swordfish")).unwrap();
    let locked_out = Fred::new(
        options(&deployment)
            .sentinel_username("watcher")
            .sentinel_password("hunter2"),
    )
    .unwrap();

    for (fred, words) in [(stranger, "WRONGPASS"), (silent, "NOAUTH"), (locked_out, "NOAUTH")] {
        let error = acquire(&fred, &claim("c")).await.unwrap_err();
        println!("{error}");
        assert_eq!(
            (error.failure(), error.outcome()),
            (Failure::Refused, Outcome::NotApplied),
            "{error}"
        );
        let shown = format!("{error} {error:?} {fred:?}");
        assert!(shown.contains(words), "{shown}");
        assert!(!shown.contains("swordfish") && !shown.contains("hunter2"), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_that_know_too_few_others_or_not_the_service_are_not_believed() {
    let Some((deployment, _)) = start(Deployment::any()) else {
        return;
    };

    grant(&Fred::new(options(&deployment).min_other_sentinels(2)).unwrap(), "a").await;
    let lonely = Fred::new(options(&deployment).min_other_sentinels(3)).unwrap();
    let lonely = acquire(&lonely, &claim("b")).await.unwrap_err();
    let stranger = Fred::new(Options::sentinel("elsewhere", sentinels(&deployment))).unwrap();
    let stranger = acquire(&stranger, &claim("b")).await.unwrap_err();

    println!("{lonely}\n{stranger}");
    assert_eq!(
        (lonely.failure(), lonely.outcome()),
        (Failure::Transient, Outcome::NotApplied)
    );
    assert!(
        lonely.to_string().contains("it knows of 2 other sentinels, not of 3"),
        "{lonely}"
    );
    assert_eq!(
        (stranger.failure(), stranger.outcome()),
        (Failure::Permanent, Outcome::NotApplied)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_to_sentinels_and_servers() {
    let Some(deployment) = Deployment::any().tls().start_or_skip() else {
        return;
    };
    let trusting = Options::from_url(&deployment.url())
        .unwrap()
        .tls(Tls::new().ca_pem(deployment.ca_pem()));
    let distrustful = Fred::from_url(&deployment.url()).unwrap();

    grant(&Fred::new(trusting).unwrap(), "a").await;
    let error = acquire(&distrustful, &claim("b")).await.unwrap_err();

    println!("{error}");
    assert_eq!(
        (error.failure(), error.outcome()),
        (Failure::Permanent, Outcome::NotApplied),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_hears_that_it_missed_a_failover() {
    let Some((deployment, fred)) = start(Deployment::any()) else {
        return;
    };
    let mut wakeups = fred.notify(Inbox::from_bits(1)).await.unwrap();

    deployment.master().stop();
    let missed = tokio::time::timeout(PATIENCE, wakeups.next()).await;

    assert_eq!(missed.expect("in time"), Some(Wakeup::Missed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_knows_that_its_backend_fails_over() {
    let Some((deployment, fred)) = start(Deployment::any()) else {
        return;
    };

    assert!(fred.fails_over() && fred.keeper_handle().fails_over());
    assert!(!Fred::from_url(&deployment.servers()[0].url()).unwrap().fails_over());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_is_kept_over_a_failover_that_loses_nothing() {
    let Some((deployment, fred)) = start(Deployment::any()) else {
        return;
    };
    let client = semafence_fred::Client::new(fred).unwrap();
    let printers = client
        .semaphore("printers", 2)
        .ttl(Duration::from_secs(12))
        .build()
        .unwrap();
    let permit = printers.acquire().await.unwrap();
    let old = deployment.master();
    let replicas = deployment.replicas().len().to_string();
    assert_eq!(old.command(&["WAIT", &replicas, "5000"]).text(), replicas);

    old.kill();
    deployment.await_master_other_than(old, PATIENCE);
    let lost = tokio::time::timeout(Duration::from_secs(13), permit.lost()).await;

    assert!(lost.is_err(), "{lost:?}");
    assert!(
        permit.is_held() && permit.remaining() > Duration::from_secs(5),
        "{:?}",
        permit.remaining()
    );
    permit.release().await.unwrap();
    client.close().await;
}
