//! What deployment to start, and how.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::access::Access;
use crate::builder::{self, Builder};
use crate::deployment::{Deployment, SharedCertificates};
use crate::error::StartError;
use crate::fixture::{self, RedisFixture};
use crate::location::Location;
use crate::login::Login;
use crate::network::Network;
use crate::node::Node;
use crate::sentinel::{Sentinel, Watch};
use crate::server::Server;

/// The name of the master, unless another is chosen.
const SERVICE: &str = "semafence";

/// What to start, and how.
#[derive(Clone, Debug)]
pub struct DeploymentBuilder {
    server: Builder,
    of_server: BTreeMap<usize, Vec<String>>,
    clock_offsets_us: BTreeMap<usize, i64>,
    access: Access,
    replicas: usize,
    sentinels: usize,
    quorum: Option<usize>,
    first_ports: Option<FirstPorts>,
    partitionable: bool,
    down_after: Duration,
    failover_timeout: Duration,
    patience: Duration,
}

#[derive(Clone, Copy, Debug)]
struct FirstPorts {
    server: u16,
    sentinel: u16,
}

impl DeploymentBuilder {
    pub(crate) fn new(server: Builder) -> Self {
        // Redis 7.0 would wait 5 s for more replicas before it sends them its data.
        let server = server.rewritable().args(["--repl-diskless-sync-delay", "0"]);
        let access = Access {
            service: SERVICE.to_owned(),
            ..Access::default()
        };
        Self {
            server,
            of_server: BTreeMap::new(),
            clock_offsets_us: BTreeMap::new(),
            access,
            replicas: 2,
            sentinels: 3,
            quorum: None,
            first_ports: None,
            partitionable: false,
            down_after: Duration::from_millis(1500),
            failover_timeout: Duration::from_secs(3),
            patience: Duration::from_secs(20),
        }
    }

    /// How many replicas; 2 unless set.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
        self
    }

    /// How many sentinels, at least one; 3 unless set.
    #[must_use]
    pub fn sentinels(mut self, sentinels: usize) -> Self {
        self.sentinels = sentinels;
        self
    }

    /// How many sentinels must find the master down; a majority of them unless set.
    #[must_use]
    pub fn quorum(mut self, quorum: usize) -> Self {
        self.quorum = Some(quorum);
        self
    }

    /// Listens on ports in a row from these on, the first master first, instead of ports that are free.
    #[must_use]
    pub fn ports(mut self, server: u16, sentinel: u16) -> Self {
        self.first_ports = Some(FirstPorts { server, sentinel });
        self
    }

    /// Gives each server and sentinel a network namespace of its own, so that the deployment can be
    /// [split](RedisFixture::partition). It takes Linux and root. Only who is on a [`Side`](crate::Side) of it reaches their
    /// addresses ([`Deployment::within`], [`Deployment::spawn`]); their certificates are still for localhost.
    #[must_use]
    pub fn partitionable(mut self) -> Self {
        self.partitionable = true;
        self
    }

    /// How long a server may be silent before a sentinel takes it for down; 1.5 s unless set.
    ///
    /// A sentinel tries to connect once a second at most, and counts the tries at a dead master against its successor.
    /// Below a second, therefore, a failover often leads to another one, of a master that was well.
    #[must_use]
    pub fn down_after(mut self, down_after: Duration) -> Self {
        self.down_after = down_after;
        self
    }

    /// Sentinel's `failover-timeout`; 3 s unless set. A failover that came to nothing is tried again after twice that.
    #[must_use]
    pub fn failover_timeout(mut self, failover_timeout: Duration) -> Self {
        self.failover_timeout = failover_timeout;
        self
    }

    /// What servers ask clients, replicas and sentinels for.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.access.server = Some(Login::password(password.to_owned()));
        self
    }

    /// What sentinels ask clients and each other for.
    #[must_use]
    pub fn sentinel_password(mut self, password: &str) -> Self {
        self.access.sentinel = Some(Login::password(password.to_owned()));
        self
    }

    /// An ACL user at the sentinels instead of the default one, which is off.
    #[must_use]
    pub fn sentinel_user(mut self, user: &str, password: &str) -> Self {
        self.access.sentinel = Some(Login {
            user: Some(user.to_owned()),
            password: password.to_owned(),
        });
        self
    }

    /// Announces servers and sentinels with TLS ports, over which they also speak to each other. Plain ports stay open
    /// for [`Server::command`].
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.access.tls = true;
        self
    }

    /// Adds one word to the command line of every server, such as `--min-replicas-to-write`.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.server = self.server.arg(arg);
        self
    }

    /// Adds words to the command line of one server, such as `--replica-priority`; 0 is the first master.
    #[must_use]
    pub fn server_args<A: Into<String>>(mut self, server: usize, args: impl IntoIterator<Item = A>) -> Self {
        let of_server = self.of_server.entry(server).or_default();
        of_server.extend(args.into_iter().map(Into::into));
        self
    }

    /// Sets the time of day of one server off, as [`Builder::clock_offset_us`]; 0 is the first master.
    #[must_use]
    pub fn clock_offset_us(mut self, server: usize, offset_us: i64) -> Self {
        self.clock_offsets_us.insert(server, offset_us);
        self
    }

    /// How long it may take until all is in sync and agreed on; 20 s unless set.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts everything, and waits until replicas are in sync and sentinels know each other and the replicas.
    ///
    /// # Errors
    /// [`StartError`]: there is no such server here, one of them does not come up, or they do not find each other.
    pub fn start(mut self) -> Result<Deployment, StartError> {
        let certificates = self.access.tls.then(SharedCertificates::create).transpose()?;
        if let Some(shared) = &certificates {
            let tls = self.server.tls_under(shared.certificates.clone());
            self.server = tls.args(["--tls-replication", "yes"]);
        }
        let binary = self.server.binary_or_missing()?;
        let network = self.partitionable.then(Network::create).transpose();
        let mut network = network.map_err(StartError::NoNamespaces)?;
        let mut locate = || Location::next(network.as_mut());
        let servers = self.start_servers(&mut locate)?;
        let shared = certificates.as_ref().map(|shared| &shared.certificates);
        let first = self.first_ports.map(|first| first.sentinel);
        let prepared = (0..self.sentinels).map(|number| {
            let location = locate()?;
            Sentinel::prepare(number, nth(first, number), location, shared)
        });
        let prepared = prepared.collect::<Result<_, StartError>>()?;
        let watch = Watch {
            binary: &binary,
            access: &self.access,
            servers: &servers.iter().map(Node::address).collect::<Vec<_>>(),
            quorum: self.quorum.unwrap_or(self.sentinels / 2 + 1),
            down_after: self.down_after,
            failover_timeout: self.failover_timeout,
            patience: self.patience,
        };
        let sentinels = Sentinel::start_all(prepared, &watch)?;
        let deployment = Deployment {
            sentinels,
            servers,
            access: self.access,
            certificates,
            network,
        };
        await_settled(&deployment, self.patience)?;
        Ok(deployment)
    }

    /// Starts everything, or says on stderr that the calling test is skipped because there is no such server.
    ///
    /// # Panics
    /// If the server is there and does not start, or is missing and `SEMAFENCE_REQUIRE_SERVERS` insists.
    #[must_use]
    pub fn start_or_skip(self) -> Option<Deployment> {
        let flavor = self.server.wanted_flavor();
        builder::started_or_skip(self.start(), flavor)
    }

    fn start_servers(&self, mut locate: impl FnMut() -> io::Result<Location>) -> Result<Vec<Server>, StartError> {
        let master = self.server(0, None).location(locate()?).start()?;
        let address = master.address();
        let replicas = (1..=self.replicas).map(|number| {
            let replica = self.server(number, Some(address));
            replica.location(locate()?).start()
        });
        [Ok(master)].into_iter().chain(replicas).collect()
    }

    fn server(&self, number: usize, master: Option<SocketAddr>) -> Builder {
        let mut server = self.server.clone();
        if let Some(port) = nth(self.first_ports.map(|first| first.server), number) {
            server = server.port(port);
        }
        if let Some(login) = &self.access.server {
            server = server.args(["--requirepass", &login.password, "--masterauth", &login.password]);
        }
        if let Some(master) = master {
            server = server.args([
                "--replicaof".to_owned(),
                master.ip().to_string(),
                master.port().to_string(),
            ]);
        }
        if let Some(offset_us) = self.clock_offsets_us.get(&number) {
            server = server.clock_offset_us(*offset_us);
        }
        server.args(self.of_server.get(&number).cloned().unwrap_or_default())
    }
}

/// The port so many after the first.
fn nth(first: Option<u16>, number: usize) -> Option<u16> {
    let number = u16::try_from(number).expect("a deployment is small");
    first.map(|first| first.saturating_add(number))
}

fn await_settled(deployment: &Deployment, patience: Duration) -> Result<(), StartError> {
    let settled = fixture::poll(patience, || deployment.settled().map(drop));
    settled.map_err(|reason| StartError::Unsettled { reason, patience })
}
