//! What closing a client ends, also what is on its way at that moment.

use std::time::Duration;

use semafence::Error;
use semafence_sim::{Direction, Link};

const MILLISECOND: Duration = Duration::from_millis(1);

/// SCENARIOS 6, 25.
#[test]
fn a_permit_granted_while_its_client_is_closed_is_given_back() {
    semafence_sim::run(1, |sim| async move {
        let client = sim.client();
        let mutex = client.mutex("name").build().unwrap();
        client.backend().process().hold(Link::Commands, Direction::Reply);
        let trying = tokio::spawn(async move { mutex.try_lock_owned().await });
        tokio::time::sleep(MILLISECOND * 10).await;

        client.close().await;
        client.backend().process().deliver();

        let tried = trying.await.unwrap();
        assert!(matches!(tried, Err(Error::Closed)), "{tried:?}");
        tokio::time::sleep(MILLISECOND * 50).await;
        let status = sim.client().status("name").await.unwrap();
        assert_eq!(status.holders_total, 0);
    });
}

/// A permit that was given up long before says nothing about those that closing gives back.
#[test]
fn closing_counts_only_what_it_gave_back() {
    semafence_sim::run(1, |sim| async move {
        let client = sim.client();
        let ttl = Duration::from_millis(500);
        let build = |name: &str| client.mutex(name).ttl(ttl).build().unwrap();
        let lost = build("lost").lock_owned().await.unwrap();
        client.backend().process().partition();
        drop(lost);
        tokio::time::sleep(ttl * 4).await;
        client.backend().process().repair();
        tokio::time::sleep(MILLISECOND * 50).await;
        let kept = build("kept").lock_owned().await.unwrap();

        let closed = client.close().await;

        assert_eq!((closed.returned, closed.abandoned), (1, 0));
        drop(kept);
    });
}
