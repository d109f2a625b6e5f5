//! A failover that loses what was written last.

use std::time::{Duration, Instant};

use crate::announcements::Announcement;
use crate::fixture::RedisFixture;
use crate::node::Node;

const PATIENCE: Duration = Duration::from_secs(30);

/// What became of a failover.
#[derive(Clone, Copy, Debug)]
pub struct Failover<'a, N, T> {
    /// The master that was killed, and is still down.
    pub old: &'a N,
    /// The replica that was promoted.
    pub new: &'a N,
    /// When the old master was gone.
    pub killed_at: Instant,
    /// The first announcement of the new master.
    pub announcement: Announcement,
    /// What was done on the old master and is forgotten.
    pub granted: T,
}

pub(crate) fn lossy<F, T>(fixture: &F, grant: impl FnOnce(&F::Node) -> T) -> Failover<'_, F::Node, T>
where
    F: RedisFixture,
{
    let announcements = fixture.announcements();
    let old = fixture.master();
    let replicas = cut_off(fixture, old);

    let granted = grant(old);

    old.kill();
    let killed_at = Instant::now();
    replicas.iter().for_each(|replica| replica.cont());
    let new = fixture.await_master_other_than(old, PATIENCE);
    let announcement = announcements.next(PATIENCE).expect("a new master is announced");
    Failover {
        old,
        new,
        killed_at,
        announcement,
        granted,
    }
}

/// Without `CLIENT KILL` the sockets of suspended replicas still take the master's writes, and nothing is lost.
pub(crate) fn cut_off<'a, F>(fixture: &'a F, master: &F::Node) -> Vec<&'a F::Node>
where
    F: RedisFixture + ?Sized,
{
    let others = fixture
        .servers()
        .iter()
        .filter(|server| server.address() != master.address());
    let replicas: Vec<_> = others.filter(|replica| replica.ask(&["PING"]).is_ok()).collect();
    replicas.iter().for_each(|replica| replica.stop());
    let killed = master.ask(&["CLIENT", "KILL", "TYPE", "replica"]);
    assert!(
        killed.as_ref().is_ok_and(|reply| !reply.is_error()),
        "CLIENT KILL: {killed:?}"
    );
    replicas
}
