//! Failovers that lose nothing.

use std::time::{Duration, Instant};

use futures::future::join_all;
use xtask::RedisFixture;

use crate::support::{PATIENCE, client, deployment, mutex, until, with_every_driver};

with_every_driver! {
    /// SCENARIOS 33.
    async fn a_killed_master_costs_holders_and_waiters_nothing_but_time(driver) {
        let deployment = deployment().start_or_skip()?;
        let (holding, waiting) = (client(driver, &deployment), client(driver, &deployment));
        let held = mutex(&holding, "name").lock_owned().await.unwrap();
        let waiter = mutex(&waiting, "name");
        let waiter = tokio::spawn(async move { waiter.lock_owned().await });
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let announcements = deployment.announcements();
        let old = deployment.master();

        old.kill();
        let announced = announcements.next(PATIENCE).expect("a failover is announced");
        held.refresh().await.unwrap();
        let refreshed = announced.at.elapsed();
        let token = held.token();
        held.release().await.unwrap();
        let handed = waiter.await.unwrap().unwrap();

        println!("refreshed {refreshed:?} after the announcement, handed on after {:?}", announced.at.elapsed());
        assert!(refreshed < Duration::from_secs(1), "{refreshed:?}");
        assert!(handed.token() > token);
        let counted = || holding.stats().failovers;
        until("the failover is counted", || counted() > 0).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(counted(), 1);
    }
}

with_every_driver! {
    /// SCENARIOS 33. However long each has waited by then; they begin one after the other, so that pauses between attempts
    /// would not end together.
    async fn all_who_wait_for_a_master_have_a_permit_soon_after_the_announcement(driver) {
        let deployment = deployment().start_or_skip()?;
        let client = client(driver, &deployment);
        let connected = mutex(&client, "connected").lock_owned().await.unwrap();
        let announcements = deployment.announcements();

        deployment.master().kill();
        let waits = (0..16).map(|number| {
            let mutex = mutex(&client, &format!("name {number}"));
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(60) * number).await;
                let permit = mutex.lock_owned().await.unwrap();
                (permit, Instant::now())
            })
        });
        let granted = join_all(waits.collect::<Vec<_>>()).await;
        let announced = announcements.next(PATIENCE).expect("a failover is announced");
        let delays = granted.iter().map(|granted| {
            let (_permit, at) = granted.as_ref().unwrap();
            at.saturating_duration_since(announced.at)
        });

        let latest = delays.max().unwrap();
        println!("the last of them {latest:?} after the announcement");
        assert!(latest < Duration::from_millis(400), "{latest:?}");
        connected.release().await.unwrap();
    }
}

with_every_driver! {
    /// Nothing breaks the connection: only the announcement tells.
    async fn a_master_that_hangs_is_left_at_the_announcement(driver) {
        let deployment = deployment().start_or_skip()?;
        let client = client(driver, &deployment);
        let held = mutex(&client, "held").lock_owned().await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let announcements = deployment.announcements();
        let old = deployment.master();

        old.stop();
        // On its way when the announcement comes.
        let other = tokio::spawn({
            let other = mutex(&client, "other");
            async move { other.lock_owned().await }
        });
        let announced = announcements.next(PATIENCE).expect("a failover is announced");
        until("a refresh", || held.remaining() > crate::support::TTL * 9 / 10 + Duration::from_secs(4)).await;
        let refreshed = announced.at.elapsed();
        let other = other.await.unwrap().unwrap();
        let granted = announced.at.elapsed();

        println!("refreshed {refreshed:?}, granted {granted:?} after the announcement");
        assert!(held.is_held() && other.is_held());
        assert!(refreshed < Duration::from_secs(1), "{refreshed:?}");
        assert!(granted < Duration::from_secs(1), "{granted:?}");
        old.cont();
    }
}

with_every_driver! {
    /// The old master lives on as a replica.
    async fn a_master_that_is_demoted_is_left(driver) {
        let deployment = deployment().start_or_skip()?;
        let client = client(driver, &deployment);
        let held = mutex(&client, "held").lock_owned().await.unwrap();
        let old = deployment.master();

        let answer = deployment.sentinels()[0].command(&["SENTINEL", "FAILOVER", deployment.service()]);
        assert_eq!(answer.text(), "OK");
        let new = deployment.await_master_other_than(old, PATIENCE);
        let started = Instant::now();
        held.refresh().await.unwrap();
        let permit = mutex(&client, "other").try_lock_owned().await.unwrap();

        println!("{:?} from {} to {}", started.elapsed(), old.port(), new.port());
        assert!(permit.is_some());
    }
}
