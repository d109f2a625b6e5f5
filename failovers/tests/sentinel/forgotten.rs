//! Failovers that lose grants.

use std::time::{Duration, Instant};

use semafence::{LossReason, Standing};
use xtask::RedisFixture;

use crate::support::{client, deployment, mutex, with_every_driver};

/// Longer than a failover takes.
const GRACE: Duration = Duration::from_secs(8);

with_every_driver! {
    /// SCENARIOS 30. The default behind Sentinel is a grace of one ttl; the first grant of a deployment waits for it, too.
    async fn what_was_forgotten_is_taken_in_again_and_nobody_else_is_let_in(driver) {
        let deployment = deployment().start_or_skip()?;
        let (holding, coming) = (client(driver, &deployment), client(driver, &deployment));
        let [ours, theirs] = [&holding, &coming].map(|client| client.mutex("name").ttl(GRACE).build().unwrap());
        let before = theirs.lock_owned().await.unwrap();
        let before_token = before.token();
        before.release().await.unwrap();
        let runtime = tokio::runtime::Handle::current();

        let failover = tokio::task::block_in_place(|| {
            deployment.lossy_failover(|_| runtime.block_on(ours.lock_owned()).unwrap())
        });
        let newcomer = theirs.try_lock_owned().await.unwrap();
        let held = failover.granted;
        let token = held.token();
        held.refresh().await.unwrap();
        tokio::time::sleep(GRACE + Duration::from_secs(1)).await;
        let later = theirs.try_lock_owned().await.unwrap();

        assert!(newcomer.is_none() && later.is_none(), "it is held, though the new master had forgotten that");
        assert!(held.is_held());
        assert!(token > before_token);
        assert_eq!(held.token(), token);
        assert_eq!(held.release().await.unwrap(), Standing::Held);
        let next = theirs.try_lock_owned().await.unwrap().expect("it is free");
        assert!(next.token() > token);
    }
}

with_every_driver! {
    /// SCENARIOS 30.
    async fn without_a_grace_who_was_forgotten_is_told_at_once_and_the_next_token_is_larger(driver) {
        let deployment = deployment().start_or_skip()?;
        let (holding, coming) = (client(driver, &deployment), client(driver, &deployment));
        let known = mutex(&holding, "known").lock_owned().await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let (ours, theirs) = (mutex(&holding, "name"), mutex(&coming, "name"));
        let runtime = tokio::runtime::Handle::current();

        let failover = tokio::task::block_in_place(|| {
            deployment.lossy_failover(|_| {
                let permit = runtime.block_on(ours.lock_owned()).unwrap();
                let lost = permit.cancellation_token();
                let told = runtime.spawn(async move {
                    lost.cancelled().await;
                    Instant::now()
                });
                (permit, told)
            })
        });
        let (forgotten, told) = failover.granted;
        let newcomer = theirs.try_lock_owned().await.unwrap().expect("nobody is known to hold it");
        let told_after = told.await.unwrap().saturating_duration_since(failover.announcement.at);

        println!("told {told_after:?} after the announcement");
        assert_eq!(forgotten.lost().await, LossReason::Forgotten);
        assert!(told_after < Duration::from_secs(1), "{told_after:?}");
        assert!(newcomer.token() > forgotten.token());
        assert!(known.is_held());
    }
}
