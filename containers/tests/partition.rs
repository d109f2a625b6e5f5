//! Deployments of containers that are split.

use std::time::Duration;

use semafence_containers::Containers;
use xtask::{Node, RedisFixture};

#[path = "../../xtask/tests/promises/partition.rs"]
mod promises;

#[test]
fn a_master_that_is_cut_off_serves_its_side_until_the_partition_ends_and_then_forgets_it() {
    let Some(containers) = Containers::partitionable_or_skip() else {
        return;
    };
    promises::a_master_that_is_cut_off_serves_its_side_until_the_partition_ends_and_then_forgets_it(&containers);
}

#[test]
fn a_sentinel_that_is_cut_off_with_its_master_sees_it_and_not_the_others() {
    let Some(containers) = Containers::partitionable_or_skip() else {
        return;
    };
    promises::a_sentinel_that_is_cut_off_with_its_master_sees_it_and_not_the_others(&containers);
}

#[test]
fn a_partition_takes_the_place_of_an_earlier_one() {
    let Some(containers) = Containers::partitionable_or_skip() else {
        return;
    };
    promises::a_partition_takes_the_place_of_an_earlier_one(&containers);
}

#[test]
fn clients_of_this_machine_reach_both_sides_at_the_addresses_that_sentinels_tell() {
    let Some(containers) = Containers::partitionable_or_skip() else {
        return;
    };

    containers.partition(&[&containers.servers()[0]]);
    let pings = containers.servers().iter().map(|node| {
        let connection = xtask::Connection::open_at(node.address(), Duration::from_secs(5));
        connection.unwrap().command(&["PING"]).unwrap().text()
    });

    assert_eq!(pings.collect::<Vec<_>>(), ["PONG"; 3]);
}
