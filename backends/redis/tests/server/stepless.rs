//! Lease time without the steps of the server's clock.

use std::time::{Duration, Instant};

use semafence_redis::{Claim, LockBackend, Standing};
use xtask::Server;

use crate::support::{claim, grant, on_every_server, redis};

const TTL: Duration = Duration::from_secs(2);
const HOUR_US: i64 = 3_600_000_000;

fn stepless() -> Claim {
    Claim {
        ttl: TTL,
        stepless: true,
        ..claim("name")
    }
}

on_every_server! {
    async fn a_clock_that_is_stepped_by_an_hour_moves_a_lease_by_a_quarter_at_most(flavor) {
        let server = Server::builder(flavor).clock_offset_us(0).start_or_skip()?;
        let redis = redis(&server);
        for step_us in [HOUR_US, 0, -HOUR_US] {
            let (held, next) = (stepless(), stepless());
            grant(&redis, &held).await;
            let granted = Instant::now();
            server.set_clock_offset_us(step_us);

            let mut token = None;
            while token.is_none() {
                tokio::time::sleep(TTL / 20).await;
                if let semafence_redis::Attempt::Granted(grant) = redis.acquire(&next, semafence_redis::Queueing::Never).await.unwrap() {
                    token = Some(grant.token);
                }
            }
            let took = granted.elapsed();

            println!("stepped to {step_us} us: free after {took:?}");
            assert!((TTL..TTL * 3 / 2 + Duration::from_millis(500)).contains(&took), "{took:?}");
            assert_eq!(redis.refresh(&[held]).await[0].as_ref().unwrap(), &Standing::Absent);
            redis.release(&next).await.unwrap();
        }
    }
}
