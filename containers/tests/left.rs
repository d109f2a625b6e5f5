//! What a process leaves behind.

use std::env;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use semafence_containers::Container;
use xtask::Node;

/// Runs this very test in a process of its own, which starts a container and is then killed.
#[test]
fn containers_and_network_of_a_process_that_was_killed_are_removed() {
    const IN_CHILD: &str = "CONTAINERS_TEST_CHILD";
    const NAME: &str = "containers_and_network_of_a_process_that_was_killed_are_removed";
    let Some(server) = Container::single_or_skip() else {
        return;
    };
    if env::var_os(IN_CHILD).is_some() {
        println!("\naddress {}", server.address());
        thread::sleep(Duration::from_secs(60));
    }
    drop(server);

    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", NAME, "--nocapture"]).env(IN_CHILD, "1");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| Some(line.strip_prefix("address ")?.to_owned()));
    let network = network_of(child.id(), address.unwrap().parse().unwrap());
    let before = left_of(&network);
    child.kill().unwrap();
    child.wait().unwrap();

    assert_eq!(before, 2, "a container and a network");
    assert!((0..300).any(|_| {
        thread::sleep(Duration::from_millis(100));
        left_of(&network) == 0
    }));
}

/// The name of the network in which a process has a server at that address.
fn network_of(pid: u32, server: SocketAddr) -> String {
    let IpAddr::V4(address) = server.ip() else {
        panic!("{server}")
    };
    format!("semafence-{pid}-{}", address.octets()[2])
}

/// How many containers and networks there are.
fn left_of(network: &str) -> usize {
    let containers = format!("label=semafence.network={network}");
    let lines = docker(&["ps", "--all", "--quiet", "--filter", &containers])
        + &docker(&["network", "ls", "--quiet", "--filter", &format!("name={network}")]);
    lines.lines().count()
}

fn docker(args: &[&str]) -> String {
    let out = Command::new("docker").args(args).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}
