//! Who takes part, and where.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use semafence::{KeeperMode, LockBackend};
use semafence_sim::Sim;

use super::pausable::{Pausable, Switch};
use crate::address::{Address, Server, Servers};
use crate::connect::{self, Client, Semaphore};
use crate::failure::Failure;
use crate::settings::Settings;

pub(super) const SEMAPHORE: &str = "printers";
pub(super) const LIMIT: u32 = 2;
pub(super) const TTL: Duration = Duration::from_secs(1);
const NAMES: [&str; 5] = ["Ada", "Ben", "Cleo", "Dan", "Eve"];

/// Everybody who takes part.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) workers: Vec<Worker>,
    /// The server, for people.
    pub(super) server: String,
}

/// A worker with a client of its own, as if it had a machine of its own.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) name: &'static str,
    pub(super) client: Client,
    pub(super) semaphore: Semaphore,
    pub(super) switch: Switch,
}

impl Cast {
    pub(super) async fn assemble(settings: &Settings) -> Result<Self, Failure> {
        let seed = getrandom::u64().map_err(|error| Failure::internal(format!("no random numbers: {error}")))?;
        // A namespace of its own, so that a real server's semaphores are not touched.
        let namespace = format!("semafence-demo-{seed:016x}");
        let stage = Stage::at(settings.address.as_ref(), seed);
        let workers = NAMES.map(|name| Worker::new(name, stage.backend()?, &namespace));
        let cast = Self {
            workers: workers.into_iter().collect::<Result<_, _>>()?,
            server: stage.to_string(),
        };
        connect::check(&cast.workers[0].client, settings.address.as_ref()).await?;
        Ok(cast)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.workers.iter().map(|worker| worker.name)
    }
}

impl Worker {
    fn new(name: &'static str, backend: Arc<dyn LockBackend>, namespace: &str) -> Result<Self, Failure> {
        let switch = Switch::new();
        let backend: Arc<dyn LockBackend> = Arc::new(Pausable::new(backend, &switch));
        let builder = Client::builder(backend).namespace(namespace);
        // The simulator runs on this program's one thread.
        let client = builder.keeper(KeeperMode::Task).build()?;
        let semaphore = client
            .semaphore(SEMAPHORE, LIMIT)
            .ttl(TTL)
            .meta("worker", name)
            .build()?;
        Ok(Self {
            name,
            client,
            semaphore,
            switch,
        })
    }
}

/// The server that the demo runs on.
enum Stage<'a> {
    Quorum(&'a Servers),
    Redis(&'a Server),
    Simulator(Sim),
}

impl<'a> Stage<'a> {
    fn at(address: Option<&'a Address>, seed: u64) -> Self {
        match address {
            Some(Address::Quorum(servers)) => Self::Quorum(servers),
            Some(Address::Redis(server)) => Self::Redis(server),
            Some(Address::Simulator) | None => Self::Simulator(Sim::new(seed)),
        }
    }

    fn backend(&self) -> Result<Arc<dyn LockBackend>, Failure> {
        match self {
            Self::Quorum(servers) => servers.backend(),
            Self::Redis(server) => server.backend(),
            Self::Simulator(sim) => Ok(Arc::new(sim.backend())),
        }
    }
}

impl fmt::Display for Stage<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Quorum(servers) => servers.fmt(f),
            Self::Redis(server) => server.fmt(f),
            Self::Simulator(_) => f.write_str("a simulated one, inside this program"),
        }
    }
}
