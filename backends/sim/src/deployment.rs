//! A test's view of one deployment: its servers, and who of them is the master.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::driver::Shared;
use crate::history::ServerId;
use crate::node::Persistence;
use crate::process::Process;
use crate::server::Server;
use crate::world::World;

/// How long sentinels need, by default, until they promote a replica: `down-after-milliseconds` and an election.
const DETECTION: Duration = Duration::from_millis(1_200);

/// A master with its replicas, as a [`Sim`](crate::Sim) has one or several; a *site* in a history.
///
/// Replication is asynchronous: a change takes 0.7 ms to a replica, longer if it [lags](Self::set_lag), and a replica
/// that is promoted does not know what had not arrived. Clients find the master as behind Sentinel: they hear of a
/// promotion, or look for the master when a connection fails, a server says that it is a replica, or two requests in a
/// row go unanswered.
#[derive(Clone)]
pub struct Deployment {
    shared: Arc<Shared>,
    site: u32,
}

impl Deployment {
    pub(crate) fn new(shared: Arc<Shared>, site: u32) -> Self {
        Self { shared, site }
    }

    /// The server that most sentinels take for the master.
    #[must_use]
    pub fn master(&self) -> Server {
        let node = self.with(|world| world.sites[self.site as usize].master);
        self.server(node)
    }

    /// The server with this number; the first master is 0.
    ///
    /// # Panics
    ///
    /// When there is none.
    #[must_use]
    pub fn server(&self, node: u32) -> Server {
        let count = self.with(|world| world.sites[self.site as usize].nodes.len());
        assert!((node as usize) < count, "site {} has no server {node}", self.site);
        Server::new(Arc::clone(&self.shared), self.id(node))
    }

    /// All servers, in the order of their numbers.
    #[must_use]
    pub fn servers(&self) -> Vec<Server> {
        let count = self.with(|world| world.sites[self.site as usize].nodes.len());
        let count = u32::try_from(count).expect("servers are few");
        (0..count).map(|node| self.server(node)).collect()
    }

    /// The replica that would be promoted now: the one that has come furthest among those that run.
    #[must_use]
    pub fn successor(&self) -> Option<Server> {
        let node = self.with(|world| world.successor(self.site))?;
        Some(self.server(node))
    }

    /// Makes a replica the master. The master before it goes on as it is until it is [demoted](Self::demote).
    pub fn promote(&self, server: &Server) {
        let id = server.id();
        self.with(|world| {
            world.note(format!("server {id} is promoted"));
            world.promote(id);
        });
    }

    /// Tells a former master that it is one no more: it copies the new one's data, and its clients are thrown out.
    pub fn demote(&self, server: &Server) {
        let id = server.id();
        self.with(|world| {
            world.note(format!("server {id} is demoted"));
            world.demote(id);
        });
    }

    /// Kills the master and promotes a replica, as sentinels do after they have missed it for a while: 1.2 s.
    ///
    /// The replica has heard nothing during the last `lost` before the crash: what was granted in that time is
    /// forgotten. With `Duration::ZERO` nothing is. The old master comes back as a replica.
    ///
    /// # Panics
    ///
    /// When no replica runs.
    pub async fn failover(&self, lost: Duration) {
        let new = self
            .successor()
            .expect("a failover needs a replica that runs: use run_with_replicas(seed, 1, …)");
        let old = self.master();
        if lost > Duration::ZERO {
            self.servers().iter().for_each(Server::cut_replication);
            tokio::time::sleep(lost).await;
        }
        old.crash();
        tokio::time::sleep(DETECTION).await;
        self.promote(&new);
        tokio::time::sleep(DETECTION).await;
        old.restart(Persistence::Kept);
    }

    /// Cuts the master and these clients off from everybody else. Each side goes on; promote a replica, and both have a
    /// master.
    pub fn split<'a>(&self, clients: impl IntoIterator<Item = &'a Process>) {
        let clients: BTreeSet<u32> = clients.into_iter().map(Process::number).collect();
        self.with(|world| {
            world.note(format!(
                "the master of site {} is split off with clients {clients:?}",
                self.site
            ));
            world.split(self.site, clients);
        });
    }

    /// Ends a split. A master of the smaller side goes on until it is [demoted](Self::demote).
    pub fn unite(&self) {
        self.with(|world| {
            world.note(format!("site {} is united", self.site));
            world.unite(self.site);
        });
    }

    /// Lets changes take so long to a replica from now on.
    pub fn set_lag(&self, replica: &Server, lag: Duration) {
        let id = replica.id();
        self.with(|world| {
            if let Some(following) = &mut world.node(id).following {
                following.lag = lag;
            }
        });
    }

    /// Refuses writes on a master that has heard of fewer than `replicas` within `lag`: `min-replicas-to-write` and
    /// `min-replicas-max-lag`. A master learns up to a second late that a replica is silent.
    pub fn set_min_replicas(&self, replicas: usize, lag: Duration) {
        self.with(|world| {
            for node in &mut world.sites[self.site as usize].nodes {
                node.min_replicas = Some((replicas, lag));
            }
        });
    }

    fn id(&self, node: u32) -> ServerId {
        ServerId { site: self.site, node }
    }

    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.shared.with(act)
    }
}

impl fmt::Debug for Deployment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deployment")
            .field("site", &self.site)
            .field("master", &self.master().id())
            .finish_non_exhaustive()
    }
}
