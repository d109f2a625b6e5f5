//! One server or sentinel in a container.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};
use xtask::{Connection, Node, StartError};

use crate::engine::Engine;
use crate::network::Network;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);
/// The engine's own network, by name: the library does not find out an address where none is named.
const SIDE: &str = "bridge";
/// The first start only writes the configuration, in which servers and sentinels keep what they learn: a sentinel that
/// is there before its network spends its first connections on nobody, and renews them after 15 s.
const SCRIPT: &str = "\
    [ -e /tmp/server.conf ] || { printf '%s' \"$CONFIGURATION\" > /tmp/server.conf; exit; }\n\
    exec redis-server /tmp/server.conf $MODE";

/// What runs in a container.
#[derive(Debug)]
pub(crate) struct Role {
    pub(crate) configuration: String,
    pub(crate) port: u16,
    /// A word more on the command line.
    pub(crate) mode: &'static str,
}

/// One server or sentinel in a container, which is gone when dropped.
///
/// It is in two networks: that of the deployment, with a fixed address, and the engine's own, over which
/// [`connect`](Node::connect) reaches it whatever befalls the first one.
#[derive(Debug)]
pub struct Container {
    engine: Engine,
    network: Arc<Network>,
    address: SocketAddr,
    /// Changes with every start.
    side: Mutex<IpAddr>,
    container: Option<ContainerAsync<GenericImage>>,
}

impl Container {
    pub(crate) fn start(
        engine: &Engine,
        network: &Arc<Network>,
        image: GenericImage,
        address: Ipv4Addr,
        role: Role,
    ) -> io::Result<Self> {
        let request = image
            .with_network(SIDE)
            .with_cmd(["sh", "-c", SCRIPT])
            .with_env_var("CONFIGURATION", role.configuration)
            .with_env_var("MODE", role.mode);
        let container = engine.run(request.start())?;
        let this = Self {
            engine: engine.clone(),
            network: Arc::clone(network),
            address: SocketAddr::from((address, role.port)),
            side: Mutex::new(IpAddr::from(Ipv4Addr::UNSPECIFIED)),
            container: Some(container),
        };
        this.await_end()?;
        network.connect(this.id(), address)?;
        this.launch()?;
        Ok(this)
    }

    /// Cuts it off from all others, while it lives on and answers [`connect`](Node::connect).
    ///
    /// # Panics
    /// If it is cut off already, or the engine fails.
    pub fn partition(&self) {
        self.network
            .disconnect(self.id())
            .expect("a container can be disconnected");
    }

    /// Ends a partition, at the same address.
    ///
    /// # Panics
    /// Unless it is cut off, or if the engine fails.
    pub fn repair(&self) {
        let IpAddr::V4(address) = self.address.ip() else {
            unreachable!("networks here are of version 4");
        };
        self.network
            .connect(self.id(), address)
            .expect("a container can be connected");
    }

    fn id(&self) -> &str {
        self.container().id()
    }

    fn container(&self) -> &ContainerAsync<GenericImage> {
        self.container.as_ref().expect("it is removed only when dropped")
    }

    /// Waits until the first start has written the configuration.
    fn await_end(&self) -> io::Result<()> {
        let started = Instant::now();
        while self.engine.run(self.container().is_running())? {
            if started.elapsed() > PATIENCE {
                return Err(io::Error::other("the shell of the container does not end"));
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }

    fn launch(&self) -> io::Result<()> {
        self.engine.run(self.container().start())?;
        let side = self.engine.run(self.container().get_bridge_ip_address())?;
        *self.side.lock().unwrap_or_else(PoisonError::into_inner) = side;
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if self
                .ask(&["PING"])
                .is_ok_and(|reply| !reply.text().starts_with("LOADING"))
            {
                return Ok(());
            }
            thread::sleep(LOOK);
        }
        let silent = format!("no answer within {PATIENCE:?}:\n{}", self.log_tail());
        Err(io::Error::other(silent))
    }
}

impl Node for Container {
    fn address(&self) -> SocketAddr {
        self.address
    }

    fn connect(&self, timeout: Duration) -> io::Result<Connection> {
        let side = *self.side.lock().unwrap_or_else(PoisonError::into_inner);
        Connection::open_at(SocketAddr::new(side, self.address.port()), timeout)
    }

    fn kill(&self) {
        let _it_may_be_gone_already = self.engine.run(self.engine.docker().kill_container(self.id(), None));
    }

    fn restart(&self) -> Result<(), StartError> {
        self.kill();
        Ok(self.launch()?)
    }

    /// It is a master for some milliseconds: a container starts with the command it was made with.
    fn restart_as_replica_of(&self, master: SocketAddr) -> Result<(), StartError> {
        Node::restart(self)?;
        let (ip, port) = (master.ip().to_string(), master.port().to_string());
        for command in [["REPLICAOF", &ip, &port].as_slice(), &["CONFIG", "REWRITE"]] {
            let reply = self.ask(command)?;
            if reply.is_error() {
                return Err(io::Error::other(reply.text()).into());
            }
        }
        Ok(())
    }

    fn stop(&self) {
        self.engine.run(self.container().pause()).expect("it can be paused");
    }

    fn cont(&self) {
        self.engine.run(self.container().unpause()).expect("it can be unpaused");
    }

    fn log_tail(&self) -> String {
        let log = self.engine.run(self.container().stdout_to_vec()).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines = log.lines().collect::<Vec<_>>();
        lines[lines.len().saturating_sub(20)..].join("\n")
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("log of {}:\n{}", self.address, self.log_tail());
        }
        if let Some(container) = self.container.take() {
            let removed = self.engine.run(container.rm());
            if let Err(error) = removed {
                eprintln!("the container of {} is left: {error}", self.address);
            }
        }
    }
}
