//! What the scripts do on a server: commands, keys, tokens.

use semafence_fred::{LockBackend, Queueing, Standing, Timestamp};
use xtask::Server;

use crate::support::{claim, fred, grant, on_every_server};

on_every_server! {
    async fn a_free_mutex_costs_two_scripts_and_nothing_else(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let first = claim("a");
        grant(&fred, &first).await;
        fred.release(&first).await.unwrap();
        server.command(&["CONFIG", "RESETSTAT"]);

        for _ in 0..10 {
            let claim = claim("a");
            grant(&fred, &claim).await;
            fred.release(&claim).await.unwrap();
        }

        let calls = server.calls();
        println!("{flavor}, ten pairs: {calls:?}");
        let scripts = calls.iter().filter(|(name, _)| name.starts_with("eval") || name.starts_with("script"));
        assert_eq!(scripts.collect::<Vec<_>>(), [(&"evalsha".to_owned(), &20)]);
        let inner: u64 = calls.iter().filter(|(name, _)| is_inner(name)).map(|(_, calls)| calls).sum();
        assert!(inner <= 10 * 13, "{inner} commands inside ten pairs");
    }
}

on_every_server! {
    async fn keys_that_are_left_expire_by_themselves(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let (holder, waiter, mut late) = (claim("a"), claim("a"), claim("a"));
        late.doubtful = true;
        grant(&fred, &holder).await;
        fred.acquire(&waiter, Queueing::HandOff).await.unwrap();
        fred.acquire(&late, Queueing::WakeUp).await.unwrap();
        fred.refresh(&[holder.clone(), waiter.clone()]).await;

        let with_waiters = ttls(&server);
        for claim in [&holder, &waiter, &late] {
            fred.release(claim).await.unwrap();
        }
        let released = ttls(&server);

        println!("with waiters: {with_waiters:?}\nreleased: {released:?}");
        assert!(with_waiters.len() > released.len());
        for (key, ttl_ms) in with_waiters.into_iter().chain(released) {
            if key == "semafence:generation" {
                assert_eq!(ttl_ms, -1, "the order of tokens hangs on it");
            } else {
                assert!((3_600_000..4 * 3_600_000).contains(&ttl_ms), "{key} lives for {ttl_ms} ms");
            }
        }
    }
}

on_every_server! {
    async fn tokens_are_exact_up_to_two_to_the_fifty_third(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let first = claim("a");
        grant(&fred, &first).await;
        fred.release(&first).await.unwrap();
        let last = (1_u64 << 53) - 3;
        server.command(&["HSET", &first.name.keys()[0], "token", &last.to_string()]);

        for token in [last + 1, last + 2] {
            let claim = claim("a");
            let granted = grant(&fred, &claim).await;
            let repeated = grant(&fred, &claim).await;
            let status = fred.inspect(&claim.name).await.unwrap();
            fred.release(&claim).await.unwrap();

            assert_eq!(granted.token.as_u64(), token);
            assert_eq!(repeated.token.as_u64(), token);
            assert_eq!(status.token.unwrap().as_u64(), token);
            assert_eq!(status.holders[0].token.as_u64(), token);
        }
    }
}

on_every_server! {
    async fn a_client_may_bring_its_own_time(flavor) {
        let server = Server::builder(flavor).start_or_skip()?;
        let fred = fred(&server);
        let now = fred.time().await.unwrap();
        let mut claim = claim("a");
        claim.client_time = Some(now);
        grant(&fred, &claim).await;

        claim.client_time = Some(Timestamp::from_micros(now.as_micros() + 29_000_000));
        let before = fred.refresh(std::slice::from_ref(&claim)).await.remove(0);
        claim.client_time = Some(Timestamp::from_micros(now.as_micros() + 60_000_000));
        let after = fred.refresh(std::slice::from_ref(&claim)).await.remove(0);

        assert_eq!(before.unwrap(), Standing::Held);
        assert_eq!(after.unwrap(), Standing::Absent);
    }
}

/// Commands that only a script sends here.
fn is_inner(name: &str) -> bool {
    !["evalsha", "config|resetstat", "info", "client|setinfo"].contains(&name)
}

fn ttls(server: &Server) -> Vec<(String, i64)> {
    let keys = server.command(&["KEYS", "*"]);
    let ttl = |key: &String| server.command(&["PTTL", key]).int().unwrap();
    let mut ttls: Vec<_> = keys
        .items()
        .iter()
        .map(|key| key.text())
        .map(|key| (key.clone(), ttl(&key)))
        .collect();
    ttls.sort();
    ttls
}
