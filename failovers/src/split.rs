//! A master that is cut off, and goes on serving its side.

use std::thread;
use std::time::{Duration, Instant};

use xtask::{Deployment, Node, RedisFixture, Server};

use crate::campaign::{PATIENCE, Plan, announced, count};
use crate::failover::{Failover, Split};
use crate::moment;

const LOOK: Duration = Duration::from_millis(10);

/// A failover of a master that is alive; answers also whether a plain counter gave a number twice.
pub(crate) fn fail_over(plan: &Plan, deployment: &Deployment, takes_a_sentinel: bool) -> (Failover, bool) {
    let announcements = deployment.announcements();
    let old = deployment.master();
    let cut_off = [old, &deployment.sentinels()[0]];
    let began = moment::now();
    deployment.partition(if takes_a_sentinel { &cut_off } else { &cut_off[..1] });
    let cut = moment::now();
    // Before `min-replicas-to-write` notices.
    let counted = count(old);
    let announced = announced(&announcements, old);
    let new = deployment.await_master_other_than(old, PATIENCE);
    let counted_again = count(new) <= counted;
    thread::sleep(plan.grace + serving(plan.ttl));
    let healed = moment::now();
    deployment.repair();
    await_replica(old);
    let demoted = moment::now();
    deployment.await_settled(PATIENCE);
    let failover = Failover {
        began,
        announced,
        over: moment::now(),
        split: Some(Split { cut, healed, demoted }),
    };
    (failover, counted_again)
}

/// How long both sides serve: what the holders and waiters of the other one keep must have ended, and be taken.
fn serving(ttl: Duration) -> Duration {
    ttl * 2 + Duration::from_secs(2)
}

fn await_replica(server: &Server) {
    let is_replica = || {
        let role = server.ask(&["ROLE"]);
        role.is_ok_and(|role| role.items().first().is_some_and(|role| role.text() == "slave"))
    };
    let started = Instant::now();
    while !is_replica() {
        assert!(started.elapsed() < PATIENCE, "the old master is made a replica");
        thread::sleep(LOOK);
    }
}
