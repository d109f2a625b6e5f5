//! A master, its replicas and its sentinels, each a process of this test.

use std::io;
use std::process::{Child, Command};
use std::sync::Arc;

use tempfile::TempDir;

use crate::access::Access;
use crate::builder::Builder;
use crate::deployment_builder::DeploymentBuilder;
use crate::error::StartError;
use crate::fixture::RedisFixture;
use crate::network::Network;
use crate::process;
use crate::server::Server;
use crate::servers::Flavor;
use crate::side::Side;
use crate::tls::Certificates;

/// A master, its replicas and its sentinels, each a process of this test, and gone with it.
#[derive(Debug)]
pub struct Deployment {
    // First, so that they are gone before they could start a failover.
    pub(crate) sentinels: Vec<Server>,
    pub(crate) servers: Vec<Server>,
    pub(crate) access: Access,
    pub(crate) certificates: Option<SharedCertificates>,
    pub(crate) network: Option<Network>,
}

/// Certificates that all servers and sentinels of a deployment have, and the directory where they read them.
#[derive(Debug)]
pub(crate) struct SharedCertificates {
    pub(crate) certificates: Certificates,
    _dir: TempDir,
}

impl Deployment {
    /// A deployment of that flavor, with the defaults unless told otherwise: two replicas, three sentinels.
    #[must_use]
    pub fn builder(flavor: Flavor) -> DeploymentBuilder {
        DeploymentBuilder::new(Builder::flavor(flavor))
    }

    /// A deployment of any flavor.
    #[must_use]
    pub fn any() -> DeploymentBuilder {
        DeploymentBuilder::new(Builder::any())
    }

    /// The authority to trust for connections with TLS, as PEM.
    ///
    /// # Panics
    /// Unless started with [`DeploymentBuilder::tls`].
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        let shared = self.certificates.as_ref();
        &shared.expect("the deployment was started with tls").certificates.ca_pem
    }

    /// Does something on a thread of its own that is on that side, as are the threads that it starts: a tokio runtime
    /// made there reaches who is there.
    ///
    /// # Panics
    /// Unless started with [`DeploymentBuilder::partitionable`], or as `work` does.
    pub fn within<T: Send>(&self, side: Side, work: impl FnOnce() -> T + Send) -> T {
        let there = self.network().side(side);
        there.namespace().within(work).expect("a thread may go there")
    }

    /// Starts a process on that side.
    ///
    /// # Errors
    /// When it cannot be started.
    ///
    /// # Panics
    /// Unless started with [`DeploymentBuilder::partitionable`].
    pub fn spawn(&self, side: Side, command: Command) -> io::Result<Child> {
        process::spawn_at(command, Arc::clone(self.network().side(side)))
    }

    fn network(&self) -> &Network {
        let network = self.network.as_ref();
        network.expect("the deployment was started as partitionable")
    }
}

impl RedisFixture for Deployment {
    type Node = Server;

    fn access(&self) -> &Access {
        &self.access
    }

    fn servers(&self) -> &[Server] {
        &self.servers
    }

    fn sentinels(&self) -> &[Server] {
        &self.sentinels
    }

    fn partition(&self, cut_off: &[&Server]) {
        let places = cut_off.iter().filter_map(|node| node.location().place());
        let split = self.network().split(&places.collect::<Vec<_>>());
        split.expect("a cable can be moved");
    }
}

impl SharedCertificates {
    pub(crate) fn create() -> Result<Self, StartError> {
        let dir = TempDir::with_prefix("semafence-certificates-")?;
        Ok(Self {
            certificates: Certificates::create(dir.path())?,
            _dir: dir,
        })
    }
}
