//! Grants that wait for replicas.

use std::time::{Duration, Instant};

use semafence::Error;
use semafence_failovers::acks::{Toll, Trial, fail_over};
use xtask::RedisFixture;

use crate::support::{PATIENCE, TTL, client, deployment, mutex, with_every_driver};

with_every_driver! {
    async fn a_grant_that_was_acknowledged_is_known_to_the_replica_that_takes_over(driver) {
        drop(deployment().start_or_skip()?);
        let trial = Trial { failovers: 1, driver, acks: 1, laggard_priority: 0 };
        let mut toll = Toll::default();

        fail_over(trial, &mut toll).await.unwrap();

        println!("{toll}");
        assert_eq!((toll.to_the_follower, toll.lost), (1, 0));
        assert!(toll.granted > 0);
    }
}

with_every_driver! {
    async fn too_few_replicas_are_an_error_that_undoes_the_grant_and_holds_up_nobody(driver) {
        let deployment = deployment().start_or_skip()?;
        let client = client(driver, &deployment);
        let wanting = client.mutex("wanting").ttl(TTL).failover_grace(Duration::ZERO).acks(1);
        let wanting = wanting.acks_timeout(Duration::from_secs(1)).build().unwrap();
        let first = wanting.lock().await.unwrap();
        assert!(first.acks() >= 1, "both may have it by then");
        assert!(first.epoch().is_some(), "sentinels have said");
        first.release().await.unwrap();
        let replicas = deployment.cut_off_replicas(deployment.master());
        let started = Instant::now();

        let (refused, slowest) = tokio::join!(wanting.lock(), async {
            let others = mutex(&client, "others");
            let mut slowest = Duration::ZERO;
            while started.elapsed() < Duration::from_millis(800) {
                let asked = Instant::now();
                others.lock().await.unwrap().release().await.unwrap();
                slowest = slowest.max(asked.elapsed());
            }
            slowest
        });
        let took = started.elapsed();
        replicas.iter().for_each(|replica| replica.cont());

        println!("refused after {took:?}; the slowest of the others took {slowest:?}");
        let error = refused.unwrap_err();
        assert!(matches!(error, Error::Unacknowledged { acks: 0, wanted: 1, .. }), "{error}");
        assert!((Duration::from_secs(1)..Duration::from_secs(2)).contains(&took), "{took:?}");
        assert!(slowest < Duration::from_millis(500), "{slowest:?}");
        while !client.status("wanting").await.unwrap().holders.is_empty() {
            assert!(started.elapsed() < PATIENCE, "it is not given back");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
