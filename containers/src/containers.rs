//! A master, its replicas and its sentinels, each in a container.

use std::env;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use xtask::servers::REQUIRE_VARIABLE;
use xtask::{Access, Node, RedisFixture, StartError};

use crate::container::{Container, Role};
use crate::engine::Engine;
use crate::image;
use crate::network::Network;

const SERVICE: &str = "semafence";
const SERVERS: u8 = 3;
const SENTINELS: u8 = 3;
const SERVER_PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// So many that each test of a suite can have one of its own, and all share a server.
const DATABASES: u16 = 1024;
const PATIENCE: Duration = Duration::from_secs(60);

/// A master, two replicas and three sentinels, each in a container, on a network of their own.
#[derive(Debug)]
pub struct Containers {
    // First, so that they are gone before they could start a failover.
    sentinels: Vec<Container>,
    servers: Vec<Container>,
    access: Access,
}

impl Containers {
    /// Starts everything, and waits until replicas are in sync and sentinels know each other and the replicas; they find
    /// each other by themselves, which takes seconds.
    ///
    /// # Errors
    /// [`StartError::Missing`] where no Docker engine answers, or why something does not come up.
    ///
    /// # Panics
    /// If all is up and not settled within a minute.
    pub fn start() -> Result<Self, StartError> {
        let (engine, network) = engine_and_network()?;
        let image = image::choose(&engine);
        let start = |number, role| Container::start(&engine, &network, image.clone(), network.address(number), role);
        let master = network.address(0);
        let servers = (0..SERVERS).map(|number| start(number, server(network.address(number), master)));
        let servers = servers.collect::<io::Result<Vec<_>>>()?;
        let sentinels =
            (SERVERS..SERVERS + SENTINELS).map(|number| start(number, sentinel(network.address(number), master)));
        let containers = Self {
            sentinels: sentinels.collect::<io::Result<_>>()?,
            servers,
            access: Access {
                service: SERVICE.to_owned(),
                ..Access::default()
            },
        };
        containers.await_settled(PATIENCE);
        Ok(containers)
    }

    /// Starts everything, or says on stderr that the calling test is skipped because no Docker engine answers.
    ///
    /// # Panics
    /// If an engine answers and something does not come up, or none does and `SEMAFENCE_REQUIRE_SERVERS` names `docker`.
    #[must_use]
    pub fn start_or_skip() -> Option<Self> {
        started_or_skip(Self::start())
    }

    /// As [`start_or_skip`](Self::start_or_skip), with an image that has `ip`, which a
    /// [partition](RedisFixture::partition) takes: that of `cargo xtask images` where there is such a program.
    ///
    /// # Panics
    /// As [`start_or_skip`](Self::start_or_skip).
    #[must_use]
    pub fn partitionable_or_skip() -> Option<Self> {
        let containers = Self::start_or_skip()?;
        if containers.servers[0].has_ip() {
            return Some(containers);
        }
        skip("program `ip` in the image of servers");
        None
    }
}

impl Container {
    /// Starts a server without replicas and sentinels, or says on stderr that the calling test is skipped.
    ///
    /// # Panics
    /// As [`Containers::start_or_skip`].
    #[must_use]
    pub fn single_or_skip() -> Option<Self> {
        let start = || {
            let (engine, network) = engine_and_network()?;
            let address = network.address(0);
            let role = server(address, address);
            Ok(Self::start(&engine, &network, image::choose(&engine), address, role)?)
        };
        started_or_skip(start())
    }
}

fn engine_and_network() -> Result<(Engine, Arc<Network>), StartError> {
    let engine = Engine::connect().map_err(|error| StartError::Missing(format!("Docker engine ({error})")))?;
    let network = Arc::new(Network::create(&engine)?);
    Ok((engine, network))
}

/// What was started; or `None`, once stderr says that the calling test is skipped.
fn started_or_skip<T>(outcome: Result<T, StartError>) -> Option<T> {
    match outcome {
        Ok(started) => Some(started),
        Err(StartError::Missing(what)) => {
            skip(&what);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

impl RedisFixture for Containers {
    type Node = Container;

    fn access(&self) -> &Access {
        &self.access
    }

    fn servers(&self) -> &[Container] {
        &self.servers
    }

    fn sentinels(&self) -> &[Container] {
        &self.sentinels
    }

    /// Those on one side look away from all on the other: the engine would take their addresses from them, too. A
    /// container that is started again looks everywhere; those on the other side still do not see it.
    fn partition(&self, cut_off: &[&Container]) {
        let all = || self.servers.iter().chain(&self.sentinels);
        let is_cut_off = |node: &Container| cut_off.iter().any(|other| other.address() == node.address());
        thread::scope(|scope| {
            for node in all() {
                let others = all().filter(|other| is_cut_off(other) != is_cut_off(node));
                let others: Vec<_> = others.map(Node::address).collect();
                scope.spawn(move || node.look_away_from(&others).expect("a container can look away"));
            }
        });
    }
}

fn server(own: Ipv4Addr, master: Ipv4Addr) -> Role {
    let mut configuration = format!(
        "port {SERVER_PORT}\nprotected-mode no\ndatabases {DATABASES}\nsave \"\"\nrepl-diskless-sync-delay 0\nreplica-announce-ip {own}\n"
    );
    if own != master {
        configuration += &format!("replicaof {master} {SERVER_PORT}\n");
    }
    Role {
        configuration,
        port: SERVER_PORT,
        mode: "",
    }
}

fn sentinel(own: Ipv4Addr, master: Ipv4Addr) -> Role {
    let configuration = format!(
        "port {SENTINEL_PORT}\nprotected-mode no\nsentinel announce-ip {own}\n\
         sentinel monitor {SERVICE} {master} {SERVER_PORT} 2\n\
         sentinel down-after-milliseconds {SERVICE} 1500\nsentinel failover-timeout {SERVICE} 3000\n"
    );
    Role {
        configuration,
        port: SENTINEL_PORT,
        mode: "--sentinel",
    }
}

/// Says that the calling test cannot run here. `1` asks for every server, but not for an engine.
fn skip(missing: &str) {
    let setting = env::var(REQUIRE_VARIABLE).unwrap_or_default();
    let current = thread::current();
    let line = format!("{}: no {missing}", current.name().unwrap_or("a test"));
    assert!(setting.split(',').all(|id| id.trim() != "docker"), "{line}");
    // Not eprintln: the test harness shows that only when the test fails.
    let _a_closed_stderr_is_fine = writeln!(io::stderr(), "SKIPPED {line}");
}
