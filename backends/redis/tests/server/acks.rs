//! What `WAIT` is about, on each server.

use std::sync::Arc;
use std::time::Duration;

use semafence_redis::{Acknowledgement, Claim, LockBackend, Standing};
use xtask::{Reply, Server};

use crate::support::{claim, grant, on_every_server, redis, until};

const WITHIN: Duration = Duration::from_millis(300);
/// Of the server's clock, which stands still: a lease that is refreshed ends when it did before.
const NOW_US: i64 = 1_790_000_000_000_000;

on_every_server! {
    /// Since 7.2 a `WAIT` on a connection that has changed nothing returns at once.
    async fn a_grant_is_not_acknowledged_by_a_replica_that_has_not_heard_of_it(flavor) {
        // With a delay it would never send its data, as its clock does not move.
        let master = Server::builder(flavor).clock_us(NOW_US).args(["--repl-diskless-sync-delay", "0"]).start_or_skip()?;
        let master_port = master.port().to_string();
        let replica = Server::builder(flavor).args(["--replicaof", "127.0.0.1", &master_port]).start_or_skip()?;
        until(|| master.info("replication").get("slave0").is_some_and(|line| line.contains("state=online"))).await;
        let (granting, asking) = (redis(&master), redis(&master));
        let asked = claim("a");
        asking.acquire(&claim("b"), semafence_redis::Queueing::Never).await.unwrap();
        assert_eq!(master.command(&["WAIT", "1", "0"]), Reply::Int(1));
        replica.stop();
        let granted = grant(&granting, &asked).await;
        let held = Claim { grant: Some(Arc::new(granted)), ..asked };

        let unheard = asking.acknowledge(&held, 1, WITHIN).await;
        replica.cont();
        let heard = asking.acknowledge(&held, 1, WITHIN).await.unwrap();

        // The time of WAIT stands still as well, so that it never gives up.
        println!("while the replica stood still: {unheard:?}");
        assert!(!unheard.is_ok_and(|answer| answer.replicas > 0));
        assert_eq!(heard, Acknowledgement { standing: Standing::Held, replicas: 1, epoch: None });
    }
}
