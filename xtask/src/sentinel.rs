//! The configuration of one sentinel.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::access::Access;
use crate::configuration::Configuration;
use crate::error::StartError;
use crate::location::Location;
use crate::port::Port;
use crate::scratch;
use crate::server::{Plan, Server};
use crate::tls::{Certificates, TlsListener};

/// What the sentinels of one deployment have in common.
#[derive(Debug)]
pub(crate) struct Watch<'a> {
    pub(crate) binary: &'a Path,
    pub(crate) access: &'a Access,
    /// The master first.
    pub(crate) servers: &'a [SocketAddr],
    pub(crate) quorum: usize,
    pub(crate) down_after: Duration,
    pub(crate) failover_timeout: Duration,
    pub(crate) patience: Duration,
}

/// One sentinel before its start: it has a port, so that the others can be told.
#[derive(Debug)]
pub(crate) struct Sentinel {
    port: Port,
    tls: Option<TlsListener>,
    location: Location,
    id: String,
}

impl Sentinel {
    pub(crate) fn prepare(
        number: usize,
        port: Option<u16>,
        location: Location,
        certificates: Option<&Certificates>,
    ) -> Result<Self, StartError> {
        let tls = certificates.map(|certificates| TlsListener::create(certificates.clone()));
        Ok(Self {
            port: Port::given_or_picked(port)?,
            tls: tls.transpose()?,
            location,
            id: format!("{:040x}", number + 1),
        })
    }

    fn announced_port(&self) -> u16 {
        self.tls.as_ref().map_or(self.port.number(), |tls| tls.port.number())
    }

    /// Starts them all. Each is told of the others and of the replicas, which it would find by itself after seconds.
    pub(crate) fn start_all(sentinels: Vec<Self>, watch: &Watch<'_>) -> Result<Vec<Server>, StartError> {
        let texts = sentinels
            .iter()
            .map(|sentinel| sentinel.configuration(&sentinels, watch))
            .collect::<Vec<_>>();
        let sentinels = sentinels.into_iter().zip(texts);
        sentinels.map(|(sentinel, text)| sentinel.start(&text, watch)).collect()
    }

    fn start(self, configuration: &Configuration, watch: &Watch<'_>) -> Result<Server, StartError> {
        let dir = scratch::dir("semafence-sentinel-")?;
        let mut configuration = configuration.clone();
        configuration.line(&format!("dir {}", dir.path().display()));
        let file = configuration.write(dir.path())?;
        Server::carry_out(Plan {
            binary: watch.binary.to_owned(),
            args: vec![file, "--sentinel".to_owned()],
            login: watch.access.sentinel.clone(),
            patience: watch.patience,
            port: self.port,
            location: self.location,
            tls: self.tls,
            clock: None,
            dir,
        })
    }

    fn configuration(&self, all: &[Self], watch: &Watch<'_>) -> Configuration {
        let name = &watch.access.service;
        let (master, replicas) = watch.servers.split_first().expect("a deployment has a master");
        let mut lines = vec![
            format!("port {}", self.port.number()),
            format!("bind {}", self.location.address()),
            format!("sentinel myid {}", self.id),
            format!(
                "sentinel monitor {name} {} {} {}",
                master.ip(),
                master.port(),
                watch.quorum
            ),
            format!(
                "sentinel down-after-milliseconds {name} {}",
                watch.down_after.as_millis()
            ),
            format!(
                "sentinel failover-timeout {name} {}",
                watch.failover_timeout.as_millis()
            ),
        ];
        lines.extend(logins(watch.access));
        lines.extend(self.tls.iter().flat_map(tls_lines));
        lines.extend(
            replicas
                .iter()
                .map(|replica| format!("sentinel known-replica {name} {} {}", replica.ip(), replica.port())),
        );
        lines.extend(all.iter().filter(|other| other.id != self.id).map(|other| {
            format!(
                "sentinel known-sentinel {name} {} {} {}",
                other.location.address(),
                other.announced_port(),
                other.id
            )
        }));
        let mut configuration = Configuration::default();
        lines.iter().for_each(|line| configuration.line(line));
        configuration
    }
}

fn logins(access: &Access) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(login) = &access.server {
        lines.push(format!("sentinel auth-pass {} {}", access.service, login.password));
    }
    if let Some(login) = &access.sentinel {
        lines.push(format!("sentinel sentinel-pass {}", login.password));
        match &login.user {
            None => lines.push(format!("requirepass {}", login.password)),
            Some(user) => {
                lines.push(format!("sentinel sentinel-user {user}"));
                lines.push(format!("user {user} on >{} ~* &* +@all", login.password));
                lines.push("user default off".to_owned());
            }
        }
    }
    lines
}

fn tls_lines(listener: &TlsListener) -> Vec<String> {
    let args = listener.args();
    let lines = args
        .chunks_exact(2)
        .map(|pair| format!("{} {}", pair[0].trim_start_matches("--"), pair[1]));
    lines.chain(["tls-replication yes".to_owned()]).collect()
}
