//! `cargo xtask up`: what it prints works, and nothing is left of it.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use xtask::servers::any_server_or_skip;
use xtask::{Connection, Reply};

const TO_SENTINEL: u16 = 20_000;

fn up(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .arg("up")
        .args(args)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A port such that three in a row from it on, and from 20,000 above it on, were free a moment ago; `None` where there
/// is no server.
fn free_port() -> Option<String> {
    loop {
        let sentinel = any_server_or_skip()?.port();
        // Outgoing connections have the ports above 32,767.
        let Some(port) = sentinel.checked_sub(TO_SENTINEL).filter(|port| *port > 1024) else {
            continue;
        };
        let ports = (0..3).flat_map(|number| [port + number, sentinel + number]);
        if ports
            .map(|port| TcpListener::bind(("127.0.0.1", port)))
            .all(|bound| bound.is_ok())
        {
            return Some(port.to_string());
        }
    }
}

/// A program of the test, interrupted at its end whatever happens.
struct Program(Child);

impl Program {
    fn start(args: &[&str]) -> (Self, impl Iterator<Item = String> + use<>) {
        let mut child = up(args).spawn().unwrap();
        let stdout: ChildStdout = child.stdout.take().unwrap();
        (Self(child), BufReader::new(stdout).lines().map_while(Result::ok))
    }

    fn interrupt(&mut self) -> bool {
        kill_process(Pid::from_child(&self.0), Signal::INT).unwrap();
        self.0.wait().unwrap().success()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _it_may_be_gone = self.0.kill();
        let _it_may_be_reaped = self.0.wait();
    }
}

#[test]
fn a_deployment_is_up_under_its_address_until_it_is_interrupted() {
    let Some(port) = free_port() else { return };
    let sentinel = port.parse::<u16>().unwrap() + TO_SENTINEL;

    let (mut program, mut lines) = Program::start(&["sentinel", "--port", &port]);
    let url = lines.find(|line| line.starts_with("SEMAFENCE_URL=")).unwrap();
    let health = lines.find(|line| line.starts_with("healthy")).unwrap();
    let master = Connection::open(sentinel + 2, Duration::from_secs(1))
        .and_then(|mut sentinel| sentinel.command(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "semafence"]));
    let ended_well = program.interrupt();

    assert!(url.starts_with(&format!("SEMAFENCE_URL=redis-sentinel://127.0.0.1:{sentinel}/0?")));
    assert_eq!(health, format!("healthy, master 127.0.0.1:{port}"));
    assert_eq!(master.unwrap().items().last().map(Reply::text), Some(port));
    assert!(ended_well);
    for port in [sentinel - TO_SENTINEL, sentinel] {
        assert!(Connection::open(port, Duration::from_secs(1)).is_err(), "{port}");
    }
}

#[test]
fn a_server_that_dies_is_told() {
    let Some(port) = free_port() else { return };
    let number = port.parse().unwrap();

    let (_program, mut lines) = Program::start(&["quorum", "--port", &port]);
    let at_first = lines.find(|line| line.contains("healthy")).unwrap();
    let mut first = Connection::open(number, Duration::from_secs(1)).unwrap();
    let _it_dies_without_an_answer = first.command(&["SHUTDOWN", "NOSAVE"]);
    let later = lines.next().unwrap();

    assert_eq!(at_first.matches("healthy").count(), 3, "{at_first}");
    assert_eq!(later.matches("healthy").count(), 2, "{later}");
}

#[test]
fn a_port_that_is_taken_is_named_with_the_way_out() {
    let Some(server) = any_server_or_skip() else { return };

    let Output { status, stderr, .. } = up(&["single", "--port", &server.port().to_string()]).output().unwrap();

    let stderr = String::from_utf8(stderr).unwrap();
    assert!(!status.success());
    assert!(stderr.contains(&format!("port {} ", server.port())), "{stderr}");
    assert!(stderr.contains("--port N"), "{stderr}");
}

#[test]
fn a_command_finds_the_address_and_nothing_is_left_when_it_ends() {
    let Some(_server) = any_server_or_skip() else { return };

    let script = "echo at ${SEMAFENCE_URL#redis://127.0.0.1:}; exit 7";
    let out = up(&["single", "--", "sh", "-c", script]).output().unwrap();

    let stdout = String::from_utf8(out.stdout).unwrap();
    let port = stdout.lines().find_map(|line| line.strip_prefix("at ")).unwrap();
    let port: u16 = port.trim_end_matches('/').parse().unwrap();
    assert_eq!(out.status.code(), Some(7), "the command's own code");
    assert!(Connection::open(port, Duration::from_secs(1)).is_err(), "{port}");
}
