//! Replicas, promotions, splits and acknowledgements: what the simulated deployment does, before any client is asked.

use std::time::Duration;

use semafence::script::Reply;
use semafence::{Failure, LockBackend, LossReason, Name};
use semafence_sim::{Deployment, Persistence, Server, Sim, run, run_with_replicas};

use crate::support::sleep;

const TTL: Duration = Duration::from_secs(3);
const MOMENT: Duration = Duration::from_millis(10);

fn deployment(sim: &Sim) -> Deployment {
    sim.deployment(0)
}

fn get(server: &Server, key: &str) -> Option<String> {
    match server.run(&["GET", key]) {
        Ok(Reply::Bytes(bytes)) => Some(String::from_utf8(bytes).expect("text")),
        _ => None,
    }
}

fn in_world<F: Future<Output = ()>>(replicas: u32, scenario: impl Fn(Sim) -> F) {
    for seed in 1..=10 {
        run_with_replicas(seed, replicas, &scenario);
    }
}

#[test]
fn a_replica_has_what_its_master_wrote_a_moment_later() {
    in_world(2, |sim| async move {
        let [master, first, second] = <[Server; 3]>::try_from(deployment(&sim).servers()).expect("three");
        master.run(&["SET", "a", "1", "PX", "60000"]).unwrap();
        master.run(&["INCR", "a"]).unwrap();
        assert_eq!(get(&first, "a"), None, "asynchronous");

        sleep(MOMENT).await;

        assert_eq!(
            (get(&first, "a"), get(&second, "a")),
            (Some("2".into()), Some("2".into()))
        );
        assert_eq!(first.ttl("a"), master.ttl("a"));
    });
}

#[test]
fn a_replica_refuses_writes_and_ends_no_key_by_its_own_clock() {
    in_world(1, |sim| async move {
        let [master, replica] = <[Server; 2]>::try_from(deployment(&sim).servers()).expect("two");
        master.run(&["SET", "a", "1", "PX", "1000"]).unwrap();
        sleep(MOMENT).await;
        replica.step_clock_us(3_600_000_000);

        let refused = replica.run(&["SET", "a", "2"]).unwrap_err();

        assert!(refused.starts_with("READONLY"), "{refused}");
        assert_eq!(get(&replica, "a"), Some("1".into()), "its master has not ended the key");
        sleep(Duration::from_secs(2)).await;
        assert_eq!(get(&master, "a"), None);
        sleep(MOMENT).await;
        assert_eq!(get(&replica, "a"), None);
    });
}

#[test]
fn a_promoted_replica_misses_what_had_not_arrived_and_is_another_generation() {
    in_world(1, |sim| async move {
        let site = deployment(&sim);
        let old = site.master();
        old.run(&["SET", "kept", "1"]).unwrap();
        sleep(MOMENT).await;
        let replid = |server: &Server| server.run(&["INFO", "replication"]).unwrap();
        let before = replid(&old);
        let failover = tokio::spawn(async move { site.failover(Duration::from_millis(500)).await });
        sleep(Duration::from_millis(100)).await;
        old.run(&["SET", "forgotten", "1"]).unwrap();

        failover.await.unwrap();
        sleep(Duration::from_millis(100)).await;

        let new = sim.server();
        assert_ne!(new.id(), old.id());
        assert_ne!(replid(&new), before);
        assert_eq!((get(&new, "kept"), get(&new, "forgotten")), (Some("1".into()), None));
        assert_eq!(get(&old, "forgotten"), None, "the old master copies the new one's data");
        assert_eq!(sim.marks().count("a failover lost writes"), 1);
    });
}

#[test]
fn what_a_failover_forgot_is_told_at_the_reconnect_and_not_at_the_next_refresh() {
    in_world(1, |sim| async move {
        let (client, site) = (sim.client(), deployment(&sim));
        let mutex = |name: &str| client.mutex(name).ttl(TTL * 10).build().unwrap();
        let kept = mutex("kept").lock_owned().await.unwrap();
        sleep(TTL * 2).await;
        let failover = tokio::spawn(async move { site.failover(Duration::from_millis(500)).await });
        sleep(Duration::from_millis(100)).await;
        let forgotten = mutex("forgotten").lock_owned().await.unwrap();

        failover.await.unwrap();
        sleep(Duration::from_millis(100)).await;

        assert!(!forgotten.is_held(), "its first refresh is due in 8 s");
        assert_eq!(forgotten.lost().await, LossReason::Forgotten);
        assert!(kept.remaining() > TTL * 9, "refreshed, too");
    });
}

#[test]
fn a_failover_is_counted_once_and_a_reconnect_to_the_same_server_not_at_all() {
    in_world(1, |sim| async move {
        let (client, site) = (sim.client(), deployment(&sim));
        let semaphore = |permits| client.semaphore("name", permits).ttl(TTL * 10).build().unwrap();
        let [first, second] = [semaphore(9), semaphore(9)];
        let permits = (first.acquire().await.unwrap(), second.acquire().await.unwrap());
        sleep(TTL * 2).await;

        client.backend().process().partition();
        sleep(TTL).await;
        client.backend().process().repair();
        sleep(TTL).await;
        assert_eq!(client.stats().failovers, 0);

        site.failover(Duration::ZERO).await;
        sleep(TTL).await;
        assert_eq!(client.stats().failovers, 1);
        assert!(permits.0.is_held() && permits.1.is_held());
    });
}

#[test]
fn failovers_are_counted_from_the_first_permit_on_also_while_nothing_is_held() {
    in_world(1, |sim| async move {
        let (holder, looker, site) = (sim.client(), sim.client(), deployment(&sim));
        let mutex = holder.mutex("name").build().unwrap();
        mutex.lock().await.unwrap().release().await.unwrap();
        sleep(TTL).await;

        site.failover(Duration::ZERO).await;
        sleep(TTL).await;
        site.master().restart(Persistence::Kept);
        sleep(TTL).await;

        looker.status("name").await.unwrap();
        assert_eq!((holder.stats().failovers, looker.stats().failovers), (2, 0));
    });
}

#[test]
fn a_failover_that_loses_nothing_keeps_every_permit() {
    in_world(2, |sim| async move {
        let client = sim.client();
        let permit = client
            .mutex("name")
            .ttl(TTL)
            .build()
            .unwrap()
            .lock_owned()
            .await
            .unwrap();
        sleep(MOMENT).await;

        deployment(&sim).failover(Duration::ZERO).await;
        sleep(TTL * 3).await;

        assert!(permit.is_held());
        let other = sim.client().mutex("name").build().unwrap();
        assert!(other.try_lock().await.unwrap().is_none());
    });
}

/// SCENARIOS 30, 33, 46.
#[test]
fn a_holder_that_a_failover_forgot_is_told_at_its_next_refresh_and_the_new_token_is_larger() {
    in_world(1, |sim| async move {
        let (first, second) = (sim.client(), sim.client());
        let site = deployment(&sim);
        let failover = tokio::spawn(async move { site.failover(Duration::from_millis(300)).await });
        sleep(Duration::from_millis(100)).await;
        let stale = first
            .mutex("name")
            .ttl(TTL)
            .build()
            .unwrap()
            .lock_owned()
            .await
            .unwrap();

        let fresh = second
            .mutex("name")
            .ttl(TTL)
            .build()
            .unwrap()
            .lock_owned()
            .await
            .unwrap();
        let reason = stale.lost().await;

        assert_eq!(reason, LossReason::Forgotten);
        assert!(
            fresh.token() > stale.token(),
            "{} after {}",
            fresh.token(),
            stale.token()
        );
        assert!(fresh.is_held());
        failover.await.unwrap();
    });
}

#[test]
fn both_sides_of_a_split_grant_and_the_newer_side_outranks() {
    in_world(2, |sim| async move {
        let (cut_off, other) = (sim.client(), sim.client());
        let stale = cut_off.mutex("name").ttl(TTL).build().unwrap();
        let fresh = other.mutex("name").ttl(TTL).build().unwrap();
        // A deployment that was never used before has no generation that the two sides could compare.
        stale.lock().await.unwrap().release().await.unwrap();
        sleep(MOMENT).await;
        let site = deployment(&sim);
        let old = site.master();
        site.split([cut_off.backend().process()]);
        site.promote(&site.successor().expect("a replica"));

        let newer = fresh.lock().await.unwrap();
        let older = stale.lock().await.unwrap();
        assert!(newer.token() > older.token());
        sleep(TTL).await;
        assert!(older.is_held() && newer.is_held(), "each side keeps its own");
        site.unite();
        site.demote(&old);

        assert_eq!(older.lost().await, LossReason::Forgotten);
        assert!(newer.is_held());
        assert!(stale.try_lock().await.unwrap().is_none(), "one master again");
    });
}

#[test]
fn a_client_that_hears_of_no_failover_finds_the_new_master_by_itself() {
    in_world(1, |sim| async move {
        let client = sim.client();
        let mutex = client.mutex("name").ttl(TTL).build().unwrap();
        mutex.lock().await.unwrap().release().await.unwrap();
        sleep(MOMENT).await;
        client.backend().process().set_deaf(true);
        let site = deployment(&sim);
        let old = site.master();
        old.freeze();
        site.promote(&site.successor().expect("a replica"));

        let permit = mutex.lock().await.unwrap();

        assert!(permit.is_held(), "after two requests that were not answered");
        old.thaw();
        site.demote(&old);
        assert!(permit.is_held());
    });
}

#[test]
fn wait_counts_the_replicas_that_have_the_last_write() {
    in_world(2, |sim| async move {
        let backend = sim.backend();
        let [_, _, second] = <[Server; 3]>::try_from(deployment(&sim).servers()).expect("three");
        let second_now = Duration::from_secs(1);
        let wait = async |count: &str| backend.command(&["WAIT", count, "200"], second_now).await.unwrap();
        backend.command(&["SET", "a", "1"], second_now).await.unwrap();
        assert_eq!(wait("2").await, Reply::Int(2));

        second.cut_replication();
        backend.command(&["SET", "a", "2"], second_now).await.unwrap();
        let before = sim.now();

        assert_eq!(wait("1").await, Reply::Int(1));
        assert!(sim.now() - before < Duration::from_millis(50));
        assert_eq!(wait("2").await, Reply::Int(1), "after its time");
        assert!(sim.now() - before >= Duration::from_millis(200));
        second.repair_replication();
        sleep(Duration::from_millis(100)).await;
        assert_eq!(wait("2").await, Reply::Int(2));
    });
}

#[test]
fn a_master_that_hears_of_no_replica_refuses_writes_if_it_wants_one() {
    in_world(1, |sim| async move {
        let site = deployment(&sim);
        site.set_min_replicas(1, Duration::from_secs(1));
        let client = sim.client();
        let semaphore = client.semaphore("name", 2).build().unwrap();
        let permit = semaphore.acquire_owned().await.unwrap();
        site.servers()[1].cut_replication();
        sleep(Duration::from_secs(3)).await;

        let error = semaphore.try_acquire().await.unwrap_err();

        assert!(
            error.to_string().contains("NOREPLICAS") && error.is_transient(),
            "{error}"
        );
        site.servers()[1].repair_replication();
        sleep(Duration::from_secs(1)).await;
        assert!(semaphore.try_acquire().await.unwrap().is_some());
        assert!(permit.is_held());
    });
}

#[test]
fn a_master_that_restarts_empty_empties_its_replicas() {
    in_world(1, |sim| async move {
        let [master, replica] = <[Server; 2]>::try_from(deployment(&sim).servers()).expect("two");
        master.run(&["SET", "a", "1"]).unwrap();
        sleep(MOMENT).await;
        assert_eq!(get(&replica, "a"), Some("1".into()));

        master.crash();
        master.restart(Persistence::Lost);
        sleep(Duration::from_millis(100)).await;

        assert_eq!(get(&replica, "a"), None);
    });
}

#[test]
fn deployments_share_nothing_but_the_processes_and_the_time() {
    run(1, |_| async {
        let sim = Sim::with_deployments(1, 3, 0);
        let process = sim.process();
        for deployment in 0..3 {
            let backend = sim.backend_of(&process, deployment);
            let words = ["SET", "a", &deployment.to_string()].map(str::to_owned);
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            backend.command(&words, Duration::from_secs(1)).await.unwrap();
        }
        sim.deployment(1).master().crash();
        sim.deployment(2).master().step_clock_us(5_000_000);

        let time = async |deployment| sim.backend_of(&process, deployment).time().await;

        assert_eq!(get(&sim.deployment(0).master(), "a"), Some("0".into()));
        assert_eq!(get(&sim.deployment(2).master(), "a"), Some("2".into()));
        let (first, third) = (time(0).await.unwrap(), time(2).await.unwrap());
        assert!(third.as_micros() - first.as_micros() >= 5_000_000);
        let error = time(1).await.unwrap_err();
        assert_eq!(error.failure(), Failure::Transient, "{error}");
        process.partition();
        assert!(time(0).await.is_err(), "a process is cut off from all of them");
        let name = Name::new("test", "name").unwrap();
        assert!(sim.backend_of(&process, 2).inspect(&name).await.is_err());
    });
}
