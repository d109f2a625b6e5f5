//! A master, its replicas and its sentinels, to be broken on purpose.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::access::Access;
use crate::announcements::Announcements;
use crate::error::StartError;
use crate::failover::{self, Failover};
use crate::node::Node;
use crate::settled;
use crate::view::View;

/// How often a deployment is looked at while something is awaited.
const LOOK: Duration = Duration::from_millis(10);

/// A master, its replicas and its sentinels, to be broken on purpose: processes or containers.
pub trait RedisFixture {
    /// A server or sentinel.
    type Node: Node;

    /// What clients must know besides addresses.
    fn access(&self) -> &Access;

    /// The servers; the first one is the first master.
    fn servers(&self) -> &[Self::Node];

    /// The sentinels.
    fn sentinels(&self) -> &[Self::Node];

    /// The name under which sentinels know the master.
    fn service(&self) -> &str {
        &self.access().service
    }

    /// Where sentinels listen, such as `127.0.0.1:26379`.
    fn sentinel_addresses(&self) -> Vec<String> {
        let addresses = self.sentinels().iter().map(Node::address);
        addresses.map(|address| address.to_string()).collect()
    }

    /// `redis-sentinel://127.0.0.1:1/0?node=127.0.0.1:2&…&sentinelServiceName=semafence`, with passwords if there are any.
    fn url(&self) -> String {
        self.access().url(&self.sentinel_addresses())
    }

    /// The master by the word of the sentinel with the highest configuration epoch.
    ///
    /// # Panics
    /// If no sentinel answers, or it names a stranger.
    fn master(&self) -> &Self::Node {
        let address = announced_master(self).expect("a sentinel answers");
        node_at(self, address).expect("sentinels name a server of this deployment")
    }

    /// All servers but the [master](Self::master), up or not.
    ///
    /// # Panics
    /// As [`master`](Self::master).
    fn replicas(&self) -> Vec<&Self::Node> {
        let master = self.master().address();
        let servers = self.servers().iter();
        servers.filter(|server| server.address() != master).collect()
    }

    /// Waits until sentinels name another master than `old` and it takes that role.
    ///
    /// # Panics
    /// If that takes longer than `patience`.
    fn await_master_other_than(&self, old: &Self::Node, patience: Duration) -> &Self::Node {
        let found = poll(patience, || successor(self, old.address()));
        found.unwrap_or_else(|reason| panic!("no other master within {patience:?}: {reason}"))
    }

    /// The master, if every server is up, all replicas are in sync with it, and all sentinels agree that all is well.
    ///
    /// # Errors
    /// What is not as it should be.
    fn settled(&self) -> Result<&Self::Node, String> {
        settled::look(self)
    }

    /// Waits until every server is up and the deployment [settled](Self::settled); returns the master.
    ///
    /// # Panics
    /// If that takes longer than `patience`.
    fn await_settled(&self, patience: Duration) -> &Self::Node {
        let found = poll(patience, || self.settled());
        found.unwrap_or_else(|reason| panic!("not settled within {patience:?}: {reason}"))
    }

    /// Starts a server that was killed as a replica of the present master, so that the deployment settles at once: a
    /// mere [`restart`](Node::restart) brings a second master for several seconds.
    ///
    /// # Errors
    /// [`StartError`], when it does not come up.
    ///
    /// # Panics
    /// As [`master`](Self::master).
    fn rejoin(&self, server: &Self::Node) -> Result<(), StartError> {
        server.restart_as_replica_of(self.master().address())
    }

    /// Listens to what sentinels announce from now on.
    fn announcements(&self) -> Announcements {
        Announcements::listen(self)
    }

    /// Splits the deployment: no packet passes between those that are `cut_off` and all other servers and sentinels.
    /// Both sides live on, each among themselves, and [`Node::connect`] reaches everybody. Takes the place of an earlier
    /// split; connections that it cuts are silent, and not closed.
    ///
    /// # Panics
    /// If the deployment was not started for this.
    fn partition(&self, cut_off: &[&Self::Node]);

    /// Ends a [`partition`](Self::partition). An old master that has been replaced meanwhile stays a master for 8 s or
    /// longer, until Sentinel has made up its mind.
    ///
    /// # Panics
    /// As [`partition`](Self::partition).
    fn repair(&self) {
        self.partition(&[]);
    }

    /// Suspends the replicas of a master, those that run, and cuts them off: what it writes from now on is lost with it.
    /// Let them go on ([`Node::cont`]) within 5 s: sentinels leave out who has been silent for longer.
    ///
    /// # Panics
    /// If the master does not answer.
    fn cut_off_replicas(&self, master: &Self::Node) -> Vec<&Self::Node> {
        failover::cut_off(self, master)
    }

    /// A failover that loses what `grant` writes to the master, which it is given: replicas are suspended and cut off
    /// meanwhile, then the master is killed. The old master stays down.
    ///
    /// # Panics
    /// If sentinels promote nobody within 30 s. They leave out replicas that they have not heard of for 5 s: be quick.
    fn lossy_failover<T>(&self, grant: impl FnOnce(&Self::Node) -> T) -> Failover<'_, Self::Node, T>
    where
        Self: Sized,
    {
        failover::lossy(self, grant)
    }
}

/// Looks again and again until there is something to see, or says why there was not.
pub(crate) fn poll<T>(patience: Duration, mut look: impl FnMut() -> Result<T, String>) -> Result<T, String> {
    let started = Instant::now();
    loop {
        match look() {
            Err(reason) if started.elapsed() > patience => return Err(reason),
            Err(_) => thread::sleep(LOOK),
            found => return found,
        }
    }
}

pub(crate) fn node_at<F: RedisFixture + ?Sized>(fixture: &F, address: SocketAddr) -> Result<&F::Node, String> {
    let mut servers = fixture.servers().iter();
    let found = servers.find(|server| server.address() == address);
    found.ok_or_else(|| format!("{address} is a stranger"))
}

fn announced_master<F: RedisFixture + ?Sized>(fixture: &F) -> Result<SocketAddr, String> {
    let views = fixture
        .sentinels()
        .iter()
        .map(|sentinel| View::of(sentinel, fixture.service()));
    let (views, reasons): (Vec<_>, Vec<_>) = views.partition(Result::is_ok);
    let latest = views.into_iter().flatten().max_by_key(View::epoch);
    let latest = latest.as_ref().map(View::master);
    latest.unwrap_or_else(|| {
        Err(reasons
            .into_iter()
            .filter_map(Result::err)
            .collect::<Vec<_>>()
            .join("; "))
    })
}

fn successor<F: RedisFixture + ?Sized>(fixture: &F, old: SocketAddr) -> Result<&F::Node, String> {
    let address = announced_master(fixture)?;
    if address == old {
        return Err(format!("sentinels still name {old}"));
    }
    let node = node_at(fixture, address)?;
    let role = node.ask(&["ROLE"]).map_err(|error| format!("{address}: {error}"))?;
    match role.items().first() {
        Some(role) if role.text() == "master" => Ok(node),
        _ => Err(format!("{address} has another role: {role}")),
    }
}
