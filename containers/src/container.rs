//! One server or sentinel in a container.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use testcontainers::core::ExecCommand;
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt, TestcontainersError};
use xtask::{Connection, Node, StartError};

use crate::engine::Engine;
use crate::network::Network;

/// How long a server may take until it answers.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);
/// The engine's own network, in which a container begins: the library cannot give it a fixed address.
const FIRST_NETWORK: &str = "bridge";
/// What a container needs to look away from others, beyond what the engine lets it do.
const CAPABILITY: &str = "NET_ADMIN";
/// Sends what is meant for the arguments to nobody, and for nobody else: whoever is in their place hears of it no more
/// than they do, and silence is all that is heard.
const LOOK_AWAY: &str = "\
    ip neigh flush nud permanent\n\
    for other; do\n\
        route=$(ip -o route get \"$other\") && device=${route#* dev } && device=${device%% *} || exit\n\
        ip neigh replace \"$other\" lladdr 02:00:00:00:00:01 dev \"$device\" nud permanent || exit\n\
    done\n\
    echo done";
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
/// This machine reaches it at its address whatever becomes of its ways to the others.
#[derive(Debug)]
pub struct Container {
    engine: Engine,
    /// Removed after the last container in it.
    network: Arc<Network>,
    address: SocketAddr,
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
            .with_network(FIRST_NETWORK)
            .with_cap_add(CAPABILITY)
            .with_labels([network.label()])
            .with_cmd(["sh", "-c", SCRIPT])
            .with_env_var("CONFIGURATION", role.configuration)
            .with_env_var("MODE", role.mode);
        let container = engine.run(request.start())?;
        let this = Self {
            engine: engine.clone(),
            network: Arc::clone(network),
            address: SocketAddr::from((address, role.port)),
            container: Some(container),
        };
        this.await_end()?;
        this.network.connect(this.id(), address)?;
        this.launch()?;
        Ok(this)
    }

    /// Sends nothing to these addresses any more, and again to all others. One that is down has nothing to send.
    pub(crate) fn look_away_from(&self, others: &[SocketAddr]) -> io::Result<()> {
        if !self.engine.run(self.container().is_running())? {
            return Ok(());
        }
        let script = ["sh", "-c", LOOK_AWAY, "sh"].map(str::to_owned);
        let others = others.iter().map(|other| other.ip().to_string());
        let command = ExecCommand::new(script.into_iter().chain(others));
        let (out, errors) = self.engine.run(async {
            let mut done = self.container().exec(command).await?;
            Ok::<_, TestcontainersError>((done.stdout_to_vec().await?, done.stderr_to_vec().await?))
        })?;
        if out.ends_with(b"done\n") {
            Ok(())
        } else {
            let said = String::from_utf8_lossy(&errors).into_owned();
            Err(io::Error::other(format!("ip in the container: {said}")))
        }
    }

    /// Whether its image has what [`look_away_from`](Self::look_away_from) takes.
    pub(crate) fn has_ip(&self) -> bool {
        self.look_away_from(&[]).is_ok()
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
        Connection::open_at(self.address, timeout)
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
