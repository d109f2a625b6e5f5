//! Failovers between containers.

use std::time::Duration;

use semafence_containers::{Container, Containers};
use xtask::{Node, RedisFixture, Reply};

const PATIENCE: Duration = Duration::from_secs(60);

fn ask(node: &Container, command: &[&str]) -> String {
    node.ask(command).unwrap().text()
}

/// Writes to the master, and waits until both replicas have it.
fn set_everywhere(containers: &Containers, key: &str) {
    let mut connection = containers.master().connect(Duration::from_secs(5)).unwrap();
    connection.command(&["SET", key, "1"]).unwrap();
    let acknowledged = connection.command(&["WAIT", "2", "5000"]).unwrap();
    assert_eq!(acknowledged, Reply::Int(2));
}

#[test]
fn a_master_whose_container_is_killed_is_replaced_and_comes_back_as_a_replica_with_its_address() {
    let Some(containers) = Containers::start_or_skip() else {
        return;
    };
    set_everywhere(&containers, "key");
    let old = containers.master();
    let announcements = containers.announcements();

    old.kill();
    let new = containers.await_master_other_than(old, PATIENCE);
    let announcement = announcements.next(PATIENCE).unwrap();
    containers.rejoin(old).unwrap();
    let settled = containers.await_settled(PATIENCE);

    assert_eq!(announcement.master, new.address());
    assert_eq!(settled.address(), new.address());
    assert_eq!(ask(new, &["GET", "key"]), "1");
    assert_eq!(ask(old, &["GET", "key"]), "1");
}

#[test]
fn a_paused_master_is_replaced_and_follows_once_it_goes_on() {
    let Some(containers) = Containers::start_or_skip() else {
        return;
    };
    let old = containers.master();

    old.stop();
    let while_paused = old.ask(&["PING"]);
    let new = containers.await_master_other_than(old, PATIENCE);
    old.cont();
    let settled = containers.await_settled(PATIENCE);

    assert!(while_paused.is_err());
    assert_eq!(settled.address(), new.address());
}

#[test]
fn a_lossy_failover_forgets_the_last_write() {
    let Some(containers) = Containers::start_or_skip() else {
        return;
    };
    set_everywhere(&containers, "kept");

    let failover = containers.lossy_failover(|master| ask(master, &["SET", "lost", "1"]));

    assert_eq!(failover.granted, "OK");
    assert_eq!(ask(failover.new, &["GET", "kept"]), "1");
    assert_eq!(failover.new.ask(&["GET", "lost"]).unwrap(), Reply::Nil);
}

#[test]
fn addresses_work_within_a_runtime_and_name_every_sentinel() {
    let Some(containers) = Containers::start_or_skip() else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();

    // Blocking calls of a fixture may be made by async tests.
    let master = runtime.block_on(async {
        containers.sentinels()[2].kill();
        containers.master().address()
    });

    assert_eq!(master, containers.servers()[0].address());
    assert_eq!(containers.url().matches(":26379").count(), 3);
}
