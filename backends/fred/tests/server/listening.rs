//! Wake-ups, over a connection of their own.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use semafence_fred::{Attempt, Claim, Fred, Inbox, LockBackend, Queueing, Wakeup};
use xtask::Server;

use crate::support::{claim, connections_made, fred, grant, on_every_server, until};

on_every_server! {
    async fn a_hand_off_arrives_in_the_inbox_of_its_waiter(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let (holder, left, right) = (claim("a"), waiter(1), waiter(2));
        let mut lefts = fred.notify(left.inbox).await.unwrap();
        let mut rights = fred.notify(right.inbox).await.unwrap();
        let mut rights_too = fred.notify(right.inbox).await.unwrap();
        grant(&fred, &holder).await;
        queue(&fred, &left).await;
        queue(&fred, &right).await;

        fred.release(&holder).await.unwrap();
        assert_eq!(next(&mut lefts).await, Wakeup::Look(left.holder));
        fred.force_release(&left.name, right.holder).await.unwrap();
        assert_eq!(next(&mut rights).await, Wakeup::Forced(right.holder));
        assert_eq!(next(&mut rights_too).await, Wakeup::Forced(right.holder));
        fred.release(&left).await.unwrap();
    }
}

on_every_server! {
    async fn a_subscription_is_there_when_notify_returns(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let inbox = Inbox::from_bits(1);
        let fred = fred(&server);

        let mut wakeups = fred.notify(inbox).await.unwrap();
        // Noise is not told; the first message that means something is.
        server.command(&["PUBLISH", &inbox.channel(), "noise"]);
        let heard = server.command(&["PUBLISH", &inbox.channel(), &format!("g{}", claim("a").holder)]);

        assert_eq!(heard.int(), Some(1));
        assert!(matches!(next(&mut wakeups).await, Wakeup::Look(_)));
    }
}

on_every_server! {
    async fn commands_and_the_listeners_of_an_inbox_have_a_connection_each(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let before = connections_made(&server);

        fred.time().await.unwrap();
        let alone = connections_made(&server) - before;
        let _first = fred.notify(Inbox::from_bits(1)).await.unwrap();
        let _second = fred.notify(Inbox::from_bits(1)).await.unwrap();
        fred.time().await.unwrap();

        assert_eq!((alone, connections_made(&server) - before), (1, 2));
    }
}

on_every_server! {
    async fn a_listener_comes_back_by_itself_and_says_what_it_missed(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let inbox = Inbox::from_bits(1);
        let fred = fred(&server);
        let mut wakeups = fred.notify(inbox).await.unwrap();
        let message = format!("g{}", claim("a").holder);

        server.command(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        assert_eq!(next(&mut wakeups).await, Wakeup::Missed);
        server.command(&["PUBLISH", &inbox.channel(), &message]);
        assert!(matches!(next(&mut wakeups).await, Wakeup::Look(_)));

        server.restart().unwrap();
        assert_eq!(next(&mut wakeups).await, Wakeup::Missed);
        server.command(&["PUBLISH", &inbox.channel(), &message]);
        assert!(matches!(next(&mut wakeups).await, Wakeup::Look(_)));
    }
}

on_every_server! {
    async fn the_last_listener_of_an_inbox_ends_its_subscription(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let inbox = Inbox::from_bits(1);
        let channels = || server.command(&["PUBSUB", "CHANNELS"]).items().len();
        let first = fred.notify(inbox).await.unwrap();
        let mut second = fred.notify(inbox).await.unwrap();

        drop(first);
        fred.time().await.unwrap();
        assert_eq!(channels(), 1);
        for _ in 0..20 {
            second = fred.notify(inbox).await.unwrap();
        }
        assert_eq!(channels(), 1);
        drop(second);
        until(|| channels() == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_outlasts_a_server_that_is_away_for_a_while() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let fred = fred(&server);
    let mut wakeups = fred.notify(Inbox::from_bits(1)).await.unwrap();

    server.kill();
    let away = tokio::time::timeout(Duration::from_millis(300), wakeups.next()).await;
    server.restart().unwrap();

    assert!(away.is_err(), "a listener waits for its server");
    assert_eq!(next(&mut wakeups).await, Wakeup::Missed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_leaves_a_connection_together_with_the_commands() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let inbox = Inbox::from_bits(1);
    let fred = fred(&server);
    let mut wakeups = fred.notify(inbox).await.unwrap();

    server.command(&["REPLICAOF", "127.0.0.1", "1"]);
    fred.acquire(&claim("a"), Queueing::Never).await.unwrap_err();
    server.command(&["REPLICAOF", "NO", "ONE"]);

    assert_eq!(next(&mut wakeups).await, Wakeup::Missed);
}

#[test]
fn a_listener_outlives_the_runtime_that_drove_its_connection() {
    let Some(server) = xtask::servers::any_server_or_skip() else {
        return;
    };
    let runtime = || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    };

    let inbox = Inbox::from_bits(1);
    let fred = fred(&server);
    let first = runtime();
    let mut wakeups = first.block_on(fred.notify(inbox)).unwrap();
    drop(first);

    let wakeup = runtime().block_on(next(&mut wakeups));

    assert_eq!(wakeup, Wakeup::Missed);
}

fn waiter(inbox: u64) -> Claim {
    let mut waiter = claim("a");
    waiter.inbox = Inbox::from_bits(inbox);
    waiter
}

async fn queue(fred: &Fred, claim: &Claim) {
    let attempt = fred.acquire(claim, Queueing::HandOff).await.unwrap();
    assert!(matches!(attempt, Attempt::Queued(_)), "{attempt:?}");
}

async fn next(wakeups: &mut BoxStream<'static, Wakeup>) -> Wakeup {
    let wakeup = tokio::time::timeout(Duration::from_secs(10), wakeups.next()).await;
    wakeup
        .expect("a wake-up within ten seconds")
        .expect("the stream never ends")
}
