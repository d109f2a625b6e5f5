//! `cargo xtask up`: servers to try things on.

use std::process::ExitCode;

use xtask::{Builder, Deployment, Node, RedisFixture, Server, StartError};

use crate::stay::Stay;

const FIRST_PORT: u16 = 6379;
/// From the port of a server to that of a sentinel.
const TO_SENTINEL: u16 = 20_000;
const MASTERS_OF_A_QUORUM: u16 = 3;

const USAGE: &str = "usage: cargo xtask up single|sentinel|quorum [--port N] [-- COMMAND...]";

/// Starts what is asked for, and keeps it up until the process is interrupted, or while a command runs.
pub(crate) fn run(args: &[&str]) -> ExitCode {
    let Some(Up { what, port, stay }) = parse(args) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let ended = match what {
        What::Single => single(port, stay),
        What::Sentinel => sentinel(port, stay),
        What::Quorum => quorum(port, stay),
    };
    match ended {
        Ok(code) => code,
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

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Up<'a> {
    what: What,
    /// The first one; without, any that are free.
    port: Option<u16>,
    stay: Stay<'a>,
}

fn parse<'a>(args: &'a [&'a str]) -> Option<Up<'a>> {
    let (args, stay) = match args.iter().position(|arg| *arg == "--") {
        None => (args, Stay::UntilInterrupted),
        Some(end) if end + 1 < args.len() => (&args[..end], Stay::While(&args[end + 1..])),
        Some(_) => return None,
    };
    let (what, options) = args.split_first()?;
    let what = match *what {
        "single" => What::Single,
        "sentinel" => What::Sentinel,
        "quorum" => What::Quorum,
        _ => return None,
    };
    let port = match (options, stay) {
        ([], Stay::UntilInterrupted) => Some(FIRST_PORT),
        // A command is told the address.
        ([], Stay::While(_)) => None,
        (["--port", port], _) => Some(port.parse().ok()?),
        _ => return None,
    };
    // All that is started must fit below the highest port.
    let fits = port.is_none_or(|port| (1..=u16::MAX - TO_SENTINEL - 2).contains(&port));
    fits.then_some(Up { what, port, stay })
}

fn single(port: Option<u16>, stay: Stay<'_>) -> Result<ExitCode, StartError> {
    let server = start(port)?;
    println!("{}", server.binary().display());
    println!("SEMAFENCE_URL={}", server.url());
    Ok(stay.keep_up(&server.url(), || health(&server)))
}

fn sentinel(port: Option<u16>, stay: Stay<'_>) -> Result<ExitCode, StartError> {
    let builder = Deployment::any();
    let builder = match port {
        Some(port) => builder.ports(port, port + TO_SENTINEL),
        None => builder,
    };
    let deployment = builder.start()?;
    for (server, role) in deployment.servers().iter().zip(["master", "replica", "replica"]) {
        println!("{role:9} {}  process {}", server.url(), server.pid());
    }
    for sentinel in deployment.sentinels() {
        println!("sentinel  {}  process {}", sentinel.url(), sentinel.pid());
    }
    println!("SEMAFENCE_URL={}", deployment.url());
    Ok(stay.keep_up(&deployment.url(), || match deployment.settled() {
        Ok(master) => format!("healthy, master {}", master.address()),
        Err(reason) => reason,
    }))
}

fn quorum(port: Option<u16>, stay: Stay<'_>) -> Result<ExitCode, StartError> {
    let start = |number| start(port.map(|port| port + number));
    let servers = (0..MASTERS_OF_A_QUORUM).map(start).collect::<Result<Vec<_>, _>>()?;
    for server in &servers {
        println!("master    {}  process {}", server.url(), server.pid());
    }
    let addresses = servers.iter().map(|server| server.address().to_string());
    let url = format!("quorum://{}", addresses.collect::<Vec<_>>().join(","));
    println!("SEMAFENCE_URL={url}");
    Ok(stay.keep_up(&url, || servers.iter().map(health).collect::<Vec<_>>().join("; ")))
}

fn start(port: Option<u16>) -> Result<Server, StartError> {
    match port {
        Some(port) => Builder::any().port(port).start(),
        None => Builder::any().start(),
    }
}

fn health(server: &Server) -> String {
    let address = server.address();
    match server.ask(&["PING"]) {
        Ok(_) => format!("{address} healthy"),
        Err(error) => format!("{address}: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what_and_port(args: &[&str]) -> Option<(What, Option<u16>)> {
        parse(args).map(|up| (up.what, up.port))
    }

    #[test]
    fn ports_start_where_asked_for_or_at_redis_own() {
        assert_eq!(what_and_port(&["single"]), Some((What::Single, Some(6379))));
        assert_eq!(
            what_and_port(&["sentinel", "--port", "7000"]),
            Some((What::Sentinel, Some(7000)))
        );
        assert_eq!(what_and_port(&["quorum", "--port", "45534"]), None);
        assert_eq!(what_and_port(&["quorum", "--port"]), None);
        assert_eq!(what_and_port(&["cluster"]), None);
        assert_eq!(what_and_port(&[]), None);
    }

    #[test]
    fn what_follows_two_dashes_is_a_command_that_needs_no_certain_port() {
        let up = parse(&["single", "--", "cargo", "test", "--", "x"]).unwrap();

        assert_eq!(up.stay, Stay::While(&["cargo", "test", "--", "x"]));
        assert_eq!(up.port, None);
        assert_eq!(parse(&["single", "--"]), None);
    }
}
