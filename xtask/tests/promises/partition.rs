//! What every fixture that can be split promises.

use std::time::Duration;

use xtask::{Node, RedisFixture, Reply};

const PATIENCE: Duration = Duration::from_secs(60);

fn ask(node: &impl Node, command: &[&str]) -> String {
    node.ask(command).unwrap().text()
}

/// Also on its own side nobody else is reached: replicas get no more of its writes.
pub(crate) fn a_master_that_is_cut_off_serves_its_side_until_the_partition_ends_and_then_forgets_it(
    fixture: &impl RedisFixture,
) {
    let old = fixture.master();
    let mut connection = old.connect(PATIENCE).unwrap();
    connection.command(&["SET", "before", "1"]).unwrap();
    assert_eq!(connection.command(&["WAIT", "2", "5000"]).unwrap(), Reply::Int(2));

    fixture.partition(&[old]);
    connection.command(&["SET", "old side", "1"]).unwrap();
    let acknowledged = connection.command(&["WAIT", "1", "300"]).unwrap();
    let new = fixture.await_master_other_than(old, PATIENCE);
    let both_serve = [ask(old, &["SET", "old side", "1"]), ask(new, &["SET", "new side", "1"])];
    fixture.repair();
    let settled = fixture.await_settled(PATIENCE);

    assert_eq!(acknowledged, Reply::Int(0));
    assert_eq!(both_serve, ["OK", "OK"]);
    assert_eq!(settled.address(), new.address());
    for node in [old, new] {
        assert_eq!(ask(node, &["GET", "before"]), "1");
        assert_eq!(ask(node, &["GET", "new side"]), "1");
        assert_eq!(node.ask(&["GET", "old side"]).unwrap(), Reply::Nil);
    }
}

pub(crate) fn a_sentinel_that_is_cut_off_with_its_master_sees_it_and_not_the_others(fixture: &impl RedisFixture) {
    let (old, sentinel) = (fixture.master(), &fixture.sentinels()[0]);
    let master = || ask(sentinel, &["SENTINEL", "GET-MASTER-ADDR-BY-NAME", fixture.service()]);
    let named = format!("[{}, {}]", old.address().ip(), old.address().port());

    fixture.partition(&[old, sentinel]);
    let new = fixture.await_master_other_than(old, PATIENCE);
    let (during, quorum) = (master(), ask(sentinel, &["SENTINEL", "CKQUORUM", fixture.service()]));
    let flags = ask(sentinel, &["SENTINEL", "MASTER", fixture.service()]);
    fixture.repair();
    let settled = fixture.await_settled(PATIENCE);

    assert_eq!(during, named);
    assert!(quorum.starts_with("NOQUORUM 1 usable"), "{quorum}");
    assert!(
        flags.contains("flags, master, "),
        "it is not down for that one: {flags}"
    );
    assert_eq!(settled.address(), new.address());
    assert_ne!(master(), named);
}

/// Whoever was cut off first is with the others again.
pub(crate) fn a_partition_takes_the_place_of_an_earlier_one(fixture: &impl RedisFixture) {
    let master = fixture.master();
    let others: Vec<_> = fixture.replicas();
    let mut connection = master.connect(PATIENCE).unwrap();
    let mut acknowledged_by = |wanted: &str| {
        connection.command(&["INCR", "key"]).unwrap();
        connection.command(&["WAIT", wanted, "500"]).unwrap().int()
    };

    fixture.partition(&[others[0]]);
    let first = acknowledged_by("2");
    fixture.partition(&[others[1]]);
    // Its connection may be beyond mending by then; the next one is made within seconds.
    let second = (0..20).find_map(|_| acknowledged_by("1").filter(|acknowledged| *acknowledged > 0));
    fixture.repair();
    let settled = fixture.await_settled(PATIENCE);

    assert_eq!(first, Some(1));
    assert_eq!(second, Some(1));
    assert_eq!(settled.address(), master.address());
}
