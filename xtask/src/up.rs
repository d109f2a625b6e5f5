//! `cargo xtask up`: servers to try things on, until ctrl-c.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGINT, SIGTERM};
use xtask::{Builder, Deployment, Node, RedisFixture, Server, StartError};

const FIRST_PORT: u16 = 6379;
/// From the port of a server to that of a sentinel.
const TO_SENTINEL: u16 = 20_000;
const MASTERS_OF_A_QUORUM: u16 = 3;
/// How often health is looked at.
const LOOK: Duration = Duration::from_millis(500);

const USAGE: &str = "usage: cargo xtask up single|sentinel|quorum [--port N]";

/// Starts what is asked for, and keeps it up until the process is interrupted.
pub(crate) fn run(args: &[&str]) -> ExitCode {
    let Some((what, first_port)) = parse(args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let started = match what {
        What::Single => single(first_port),
        What::Sentinel => sentinel(first_port),
        What::Quorum => quorum(first_port),
    };
    match started {
        Ok(()) => ExitCode::SUCCESS,
        Err(error @ StartError::PortTaken(_)) => {
            eprintln!("{error}: choose the first port with --port N, or end what listens there");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Single,
    Sentinel,
    Quorum,
}

fn parse(args: &[&str]) -> Option<(What, u16)> {
    let (what, options) = args.split_first()?;
    let what = match *what {
        "single" => What::Single,
        "sentinel" => What::Sentinel,
        "quorum" => What::Quorum,
        _ => return None,
    };
    let port = match options {
        [] => FIRST_PORT,
        ["--port", port] => port.parse().ok()?,
        _ => return None,
    };
    // All that is started must fit below the highest port.
    (1..=u16::MAX - TO_SENTINEL - 2).contains(&port).then_some((what, port))
}

fn single(port: u16) -> Result<(), StartError> {
    let server = Builder::any().port(port).start()?;
    println!("{}", server.binary().display());
    println!("SEMAFENCE_URL={}", server.url());
    keep_up(|| health(&server));
    Ok(())
}

fn sentinel(port: u16) -> Result<(), StartError> {
    let deployment = Deployment::any().ports(port, port + TO_SENTINEL).start()?;
    for (server, role) in deployment.servers().iter().zip(["master", "replica", "replica"]) {
        println!("{role:9} {}  process {}", server.url(), server.pid());
    }
    for sentinel in deployment.sentinels() {
        println!("sentinel  {}  process {}", sentinel.url(), sentinel.pid());
    }
    println!("SEMAFENCE_URL={}", deployment.url());
    keep_up(|| match deployment.settled() {
        Ok(master) => format!("healthy, master {}", master.address()),
        Err(reason) => reason,
    });
    Ok(())
}

fn quorum(port: u16) -> Result<(), StartError> {
    let start = |number| Builder::any().port(port + number).start();
    let servers = (0..MASTERS_OF_A_QUORUM).map(start).collect::<Result<Vec<_>, _>>()?;
    for server in &servers {
        println!("master    {}  process {}", server.url(), server.pid());
    }
    let addresses = servers.iter().map(|server| server.address().to_string());
    println!("SEMAFENCE_URL=quorum://{}", addresses.collect::<Vec<_>>().join(","));
    keep_up(|| servers.iter().map(health).collect::<Vec<_>>().join("; "));
    Ok(())
}

fn health(server: &Server) -> String {
    let address = server.address();
    match server.ask(&["PING"]) {
        Ok(_) => format!("{address} healthy"),
        Err(error) => format!("{address}: {error}"),
    }
}

/// Says how things are whenever that changes, until the process is interrupted.
fn keep_up(mut look: impl FnMut() -> String) {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted)).expect("the signal may be handled");
    }
    println!("ctrl-c ends it; nothing is kept");
    let mut said = String::new();
    while !interrupted.load(Ordering::Relaxed) {
        let now = look();
        // What ctrl-c has already ended is no news.
        if now != said && !interrupted.load(Ordering::Relaxed) {
            println!("{now}");
            said = now;
        }
        thread::sleep(LOOK);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_start_where_asked_for_or_at_redis_own() {
        assert_eq!(parse(&["single"]), Some((What::Single, 6379)));
        assert_eq!(parse(&["sentinel", "--port", "7000"]), Some((What::Sentinel, 7000)));
        assert_eq!(parse(&["quorum", "--port", "45534"]), None);
        assert_eq!(parse(&["quorum", "--port"]), None);
        assert_eq!(parse(&["cluster"]), None);
        assert_eq!(parse(&[]), None);
    }
}
