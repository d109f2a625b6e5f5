//! Sentinel deployments of real servers: started, failed over, made whole again.

use std::time::Duration;

use xtask::{Deployment, Flavor, Node, RedisFixture, Reply, Server};

const PATIENCE: Duration = Duration::from_secs(30);

/// Runs the body on each flavor that this machine has.
fn on_every_flavor(body: impl Fn(Flavor, &Deployment)) {
    for flavor in Flavor::ALL {
        if let Some(deployment) = Deployment::builder(flavor).start_or_skip() {
            body(flavor, &deployment);
        }
    }
}

/// Writes to the master, and waits until all replicas have it.
fn set_everywhere(deployment: &Deployment, key: &str) {
    let master = deployment.master();
    let mut connection = master.connect(Duration::from_secs(5)).unwrap();
    connection.command(&["SET", key, "1"]).unwrap();
    let replicas = deployment.replicas().len().to_string();
    let acknowledged = connection.command(&["WAIT", &replicas, "5000"]).unwrap();
    assert_eq!(acknowledged.text(), replicas);
}

fn now_us(server: &Server) -> i64 {
    let reply = server.command(&["TIME"]);
    let parts: Vec<i64> = reply.items().iter().filter_map(Reply::int).collect();
    parts[0] * 1_000_000 + parts[1]
}

#[test]
fn a_deployment_has_one_master_replicas_in_sync_and_sentinels_that_agree() {
    on_every_flavor(|flavor, deployment| {
        let master = deployment.master();

        set_everywhere(deployment, "key");

        assert_eq!(master.port(), deployment.servers()[0].port(), "{flavor}");
        assert_eq!(deployment.replicas().len(), 2);
        for replica in deployment.replicas() {
            assert_eq!(replica.command(&["GET", "key"]).text(), "1", "{flavor}");
        }
        for sentinel in deployment.sentinels() {
            let quorum = sentinel.command(&["SENTINEL", "CKQUORUM", deployment.service()]);
            assert!(quorum.text().starts_with("OK 3 usable"), "{flavor}: {quorum}");
        }
        let [first, ..] = &deployment.sentinel_addresses()[..] else {
            panic!("no sentinel")
        };
        assert!(
            deployment
                .url()
                .starts_with(&format!("redis-sentinel://{first}/0?node="))
        );
    });
}

#[test]
fn a_killed_master_is_replaced_announced_and_comes_back_as_a_replica() {
    on_every_flavor(|flavor, deployment| {
        set_everywhere(deployment, "key");
        let old = deployment.master();
        let announcements = deployment.announcements();

        old.kill();
        let new = deployment.await_master_other_than(old, PATIENCE);
        let announcement = announcements.next(PATIENCE).unwrap();
        deployment.rejoin(old).unwrap();
        let settled = deployment.await_settled(PATIENCE);

        assert_eq!(announcement.master, new.address(), "{flavor}");
        assert_eq!(settled.port(), new.port(), "{flavor}");
        assert_eq!(new.command(&["GET", "key"]).text(), "1", "{flavor}");
        assert_eq!(old.command(&["GET", "key"]).text(), "1", "{flavor}");
        assert_eq!(old.info("replication")["role"], "slave", "{flavor}");
    });
}

#[test]
fn a_killed_master_that_is_merely_restarted_is_made_a_replica_by_sentinel() {
    let Some(deployment) = Deployment::any().start_or_skip() else {
        return;
    };
    let old = deployment.master();

    old.kill();
    let new = deployment.await_master_other_than(old, PATIENCE);
    old.restart().unwrap();
    let at_first = old.info("replication")["role"].clone();
    let settled = deployment.await_settled(PATIENCE);

    assert_eq!(at_first, "master");
    assert_eq!(settled.port(), new.port());
    assert_eq!(old.info("replication")["role"], "slave");
}

#[test]
fn a_replica_that_was_promoted_is_still_master_after_a_restart() {
    let Some(deployment) = Deployment::any().start_or_skip() else {
        return;
    };
    let old = deployment.master();
    old.kill();
    let new = deployment.await_master_other_than(old, PATIENCE);
    deployment.rejoin(old).unwrap();
    deployment.await_settled(PATIENCE);

    new.restart().unwrap();

    assert_eq!(new.info("replication")["role"], "master");
}

#[test]
fn a_lossy_failover_forgets_the_last_write_and_nothing_else_time_after_time() {
    on_every_flavor(|flavor, deployment| {
        for round in 0..2 {
            set_everywhere(deployment, "kept");

            let failover = deployment.lossy_failover(|master| master.command(&["SET", "lost", "1"]).text());

            assert_eq!(failover.granted, "OK");
            assert_eq!(failover.announcement.master, failover.new.address());
            assert!(failover.announcement.at > failover.killed_at);
            let kept = failover.new.command(&["GET", "kept"]);
            let lost = failover.new.command(&["GET", "lost"]);
            assert_eq!(kept.text(), "1", "{flavor}, round {round}");
            assert_eq!(lost, Reply::Nil, "{flavor}, round {round}");
            deployment.rejoin(failover.old).unwrap();
            deployment.await_settled(PATIENCE);
        }
    });
}

#[test]
fn a_stopped_sentinel_does_not_keep_the_others_from_a_failover() {
    let Some(deployment) = Deployment::any().start_or_skip() else {
        return;
    };
    let old = deployment.master();

    deployment.sentinels()[0].stop();
    old.kill();
    let new = deployment.await_master_other_than(old, PATIENCE);
    deployment.sentinels()[0].cont();
    deployment.rejoin(old).unwrap();
    let settled = deployment.await_settled(PATIENCE);

    assert_eq!(settled.port(), new.port());
}

#[test]
fn a_deployment_with_a_dead_sentinel_is_not_settled_until_that_is_back() {
    let Some(deployment) = Deployment::any().start_or_skip() else {
        return;
    };
    let sentinel = &deployment.sentinels()[1];

    sentinel.kill();
    let attempt = || deployment.await_settled(Duration::from_millis(200)).port();
    let while_dead = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt));
    sentinel.restart().unwrap();

    assert!(while_dead.is_err());
    deployment.await_settled(PATIENCE);
}

#[test]
fn passwords_of_servers_and_sentinels_are_required_and_failover_works_with_them() {
    let builder = Deployment::any().password("one").sentinel_password("two");
    let with_user = Deployment::any().password("one").sentinel_user("ops", "two");
    for builder in [builder, with_user] {
        let Some(deployment) = builder.start_or_skip() else {
            return;
        };
        for node in deployment.servers().iter().chain(deployment.sentinels()) {
            let mut stranger = xtask::Connection::open(node.port(), Duration::from_secs(1)).unwrap();
            let refused = stranger.command(&["INFO"]).unwrap();
            assert!(refused.text().starts_with("NOAUTH"), "{refused}");
        }
        set_everywhere(&deployment, "key");
        let old = deployment.master();

        old.kill();
        let new = deployment.await_master_other_than(old, PATIENCE);
        deployment.rejoin(old).unwrap();
        deployment.await_settled(PATIENCE);

        assert_eq!(new.command(&["GET", "key"]).text(), "1");
        assert!(deployment.url().starts_with("redis-sentinel://:one@"));
        assert!(deployment.url().ends_with("&sentinelPassword=two"));
    }
}

#[test]
fn a_deployment_with_tls_replicates_and_fails_over_by_its_tls_ports() {
    let Some(deployment) = Deployment::any().tls().start_or_skip() else {
        return;
    };
    set_everywhere(&deployment, "key");
    let old = deployment.master();

    old.kill();
    let new = deployment.await_master_other_than(old, PATIENCE);

    assert_eq!(new.command(&["GET", "key"]).text(), "1");
    assert_eq!(new.tls_url(), format!("rediss://{}/", new.address()));
    assert!(deployment.url().starts_with("rediss-sentinel://"));
    assert!(deployment.ca_pem().contains("BEGIN CERTIFICATE"));
}

#[test]
#[cfg(target_os = "linux")]
fn a_server_whose_clock_is_off_is_off_by_just_that_and_its_time_goes_on() {
    for flavor in Flavor::ALL {
        let builder = Deployment::builder(flavor).replicas(1).clock_offset_us(1, -5_000_000);
        let Some(deployment) = builder.start_or_skip() else {
            continue;
        };
        let [master, replica] = deployment.servers() else {
            panic!("two servers")
        };
        let behind_us = || now_us(master) - now_us(replica);

        let (first_us, behind_by_us) = (now_us(replica), behind_us());
        std::thread::sleep(Duration::from_millis(30));
        let second_us = now_us(replica);
        replica.set_clock_offset_us(7_000_000);
        let ahead_by_us = -behind_us();

        assert!(
            (4_500_000..=5_500_000).contains(&behind_by_us),
            "{flavor}: {behind_by_us}"
        );
        assert!(second_us >= first_us + 30_000, "{flavor}");
        assert!(
            (6_500_000..=7_500_000).contains(&ahead_by_us),
            "{flavor}: {ahead_by_us}"
        );
    }
}

#[test]
fn settings_of_one_server_decide_who_is_promoted() {
    let builder = Deployment::any().server_args(1, ["--replica-priority", "0"]);
    let Some(deployment) = builder.start_or_skip() else {
        return;
    };
    let old = deployment.master();

    old.kill();
    let new = deployment.await_master_other_than(old, PATIENCE);

    assert_eq!(new.port(), deployment.servers()[2].port());
}
