//! Deployments that are split, with every server and sentinel in a network namespace of its own.

#![cfg(target_os = "linux")]

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use xtask::servers::REQUIRE_VARIABLE;
use xtask::{Deployment, Flavor, Node, RedisFixture, Server, Side};

#[path = "promises/partition.rs"]
mod promises;

/// Tells this program that a test has started it.
const IN_CHILD: &str = "XTASK_TEST_CHILD";

fn start_or_skip() -> Option<Deployment> {
    Deployment::any().partitionable().start_or_skip()
}

fn is_reached_from(deployment: &Deployment, side: Side, server: &Server) -> bool {
    let connect = || TcpStream::connect_timeout(&server.address(), Duration::from_millis(300));
    deployment.within(side, || connect().is_ok())
}

/// One test of this file in a process of its own.
fn this_test(name: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", name, "--nocapture"]).env(IN_CHILD, "1");
    command
}

/// On all flavors at once: most of it is waiting for sentinels.
#[test]
fn a_master_that_is_cut_off_serves_its_side_until_the_partition_ends_and_then_forgets_it() {
    let start = |flavor| Deployment::builder(flavor).partitionable().start_or_skip();
    let deployments: Vec<_> = Flavor::ALL.into_iter().filter_map(start).collect();
    thread::scope(|scope| {
        for deployment in &deployments {
            scope.spawn(|| {
                promises::a_master_that_is_cut_off_serves_its_side_until_the_partition_ends_and_then_forgets_it(
                    deployment,
                );
            });
        }
    });
}

#[test]
fn a_sentinel_that_is_cut_off_with_its_master_sees_it_and_not_the_others() {
    let Some(deployment) = start_or_skip() else { return };
    promises::a_sentinel_that_is_cut_off_with_its_master_sees_it_and_not_the_others(&deployment);
}

#[test]
fn a_partition_takes_the_place_of_an_earlier_one() {
    let Some(deployment) = start_or_skip() else { return };
    promises::a_partition_takes_the_place_of_an_earlier_one(&deployment);
}

#[test]
fn clients_reach_who_is_on_their_side_and_after_the_partition_everybody() {
    let Some(deployment) = start_or_skip() else { return };
    let [master, replica, _] = deployment.servers() else {
        panic!("three servers")
    };
    let reached = || {
        [Side::CutOff, Side::Rest].map(|side| [master, replica].map(|node| is_reached_from(&deployment, side, node)))
    };

    let before = reached();
    deployment.partition(&[master]);
    let during = reached();
    deployment.repair();
    let after = reached();

    assert_eq!(before, [[true, true], [true, true]]);
    assert_eq!(during, [[true, false], [false, true]]);
    assert_eq!(after, before);
}

/// As a cable that is pulled, not as a server that is gone.
#[test]
fn a_connection_that_a_partition_cuts_is_silent_and_goes_on_after_it() {
    let Some(deployment) = start_or_skip() else { return };
    let master = deployment.master();
    let connect = || xtask::Connection::open_at(master.address(), Duration::from_millis(300));
    let mut connection = deployment.within(Side::Rest, connect).unwrap();

    deployment.partition(&[master]);
    let during = connection.command(&["PING"]).unwrap_err();
    deployment.repair();
    let after = (0..50).find_map(|_| connection.read().ok());

    assert_eq!(during.kind(), std::io::ErrorKind::WouldBlock);
    assert_eq!(after.unwrap().text(), "PONG");
}

#[test]
fn processes_start_on_the_side_that_is_named_and_this_one_is_on_none() {
    let Some(deployment) = start_or_skip() else { return };
    let master = deployment.master();
    deployment.partition(&[master]);

    let is_answered = |side| {
        let connect = format!("exec 3<>/dev/tcp/{}/{}", master.address().ip(), master.port());
        let mut command = Command::new("timeout");
        command.args(["1", "bash", "-c", &connect]).stderr(Stdio::null());
        deployment.spawn(side, command).unwrap().wait().unwrap().success()
    };
    let here = TcpStream::connect_timeout(&master.address(), Duration::from_millis(300));

    assert!(is_answered(Side::CutOff));
    assert!(!is_answered(Side::Rest));
    assert!(here.is_err());
}

/// Runs this very test in a process of its own, which starts a deployment and is then killed.
#[test]
fn nobody_is_left_in_the_network_of_a_process_that_was_killed() {
    const NAME: &str = "nobody_is_left_in_the_network_of_a_process_that_was_killed";
    if env::var_os(IN_CHILD).is_some() {
        let deployment = start_or_skip().unwrap();
        for node in deployment.servers().iter().chain(deployment.sentinels()) {
            println!("\nnode {} {}", node.pid(), node.dir().display());
        }
        thread::sleep(Duration::from_secs(60));
    }
    if start_or_skip().is_none() {
        return;
    }

    let mut child = this_test(NAME).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let nodes = lines.by_ref().filter(|line| line.starts_with("node ")).take(6);
    let nodes: Vec<(PathBuf, String)> = nodes.map(|line| parse(&line)).collect();
    let networks: BTreeSet<_> = nodes.iter().map(|(network, _)| network.clone()).collect();
    let during = processes_in(&networks);
    child.kill().unwrap();
    child.wait().unwrap();
    for (_, dir) in &nodes {
        fs::remove_dir_all(dir).unwrap();
    }

    assert_eq!((networks.len(), during), (6, 6), "each is alone");
    assert!((0..500).any(|_| {
        thread::sleep(Duration::from_millis(10));
        processes_in(&networks) == 0
    }));
}

/// The network and the directory of a node, from its line.
fn parse(line: &str) -> (PathBuf, String) {
    let [_, pid, dir] = line.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{line}")
    };
    (network_of(pid).unwrap(), dir.to_owned())
}

fn network_of(pid: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

fn processes_in(networks: &BTreeSet<PathBuf>) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let of_entries = entries.filter_map(|entry| network_of(&entry.file_name().to_string_lossy()));
    of_entries.filter(|network| networks.contains(network)).count()
}

/// Runs this very test as a user who may do nothing.
#[test]
fn where_namespaces_are_not_allowed_that_is_said_and_an_error_if_they_are_required() {
    const NAME: &str = "where_namespaces_are_not_allowed_that_is_said_and_an_error_if_they_are_required";
    if env::var_os(IN_CHILD).is_some() {
        assert!(start_or_skip().is_none());
        return;
    }
    if start_or_skip().is_none() {
        return;
    }
    let run = |required: &str| {
        let mut command = Command::new("setpriv");
        let test = this_test(NAME);
        command.args(["--bounding-set", "-all", "--inh-caps", "-all"]);
        command.arg(test.get_program()).args(test.get_args());
        let out = command
            .env(IN_CHILD, "1")
            .env(REQUIRE_VARIABLE, required)
            .output()
            .unwrap();
        (
            out.status.success(),
            String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned(),
        )
    };

    for required in ["redis-7.0", "1"] {
        let (skipped, said) = run(required);
        assert!(skipped, "{said}");
        assert!(
            said.contains(&format!("SKIPPED {NAME}: no network namespaces")),
            "{said}"
        );
    }
    let (skipped, said) = run("redis-7.0,namespaces");
    assert!(!skipped, "{said}");
}
