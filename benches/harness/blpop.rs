//! BLPOP and another try, on a connection for each waiter: what lock libraries without push messages do.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use semafence_redis::redis::aio::MultiplexedConnection;
use semafence_redis::redis::{self, RedisResult};
use xtask::Server;

use crate::gauge;
use crate::line::Line;
use crate::rslock;
use crate::site::Site;

/// Deletes the lock if it is still the holder's, and leaves one wake-up.
const RELEASE: &str = "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end \
                       redis.call('DEL', KEYS[1], KEYS[2]) redis.call('RPUSH', KEYS[2], '1') return 1";
/// How long a waiter relies on wake-ups, as ours does.
const FALLBACK_S: u64 = 5;
/// Connections that are opened at once.
const OPENED_AT_ONCE: usize = 64;

/// `SET NX PX`, and where that fails BLPOP before the next try.
pub(crate) struct BlpopLine {
    connections: Vec<MultiplexedConnection>,
    sha1: String,
    lock: String,
    wake: String,
}

impl BlpopLine {
    async fn try_acquire(&self, who: usize) -> bool {
        let mut set = redis::cmd("SET");
        set.arg(&self.lock).arg(who).arg("NX").arg("PX").arg(30_000);
        let was_set: RedisResult<bool> = set.query_async(&mut self.connections[who].clone()).await;
        was_set.expect("the server answers")
    }
}

#[async_trait]
impl Line for BlpopLine {
    const CONTROL: f64 = 0.0;
    type Held = ();

    async fn open(site: &Site, waiters: usize) -> Self {
        static LINES: AtomicU64 = AtomicU64::new(0);
        let line = LINES.fetch_add(1, Ordering::Relaxed);
        // One more for the first holder.
        let mut connections: Vec<MultiplexedConnection> = stream::iter(0..=waiters)
            .map(|_| site.connect())
            .buffer_unordered(OPENED_AT_ONCE)
            .collect()
            .await;
        Self {
            sha1: rslock::load(&mut connections[0], RELEASE).await,
            connections,
            lock: format!("blpop{line}:lock"),
            wake: format!("blpop{line}:wake"),
        }
    }

    fn name() -> &'static str {
        "BLPOP + retry"
    }

    async fn acquire(&self, who: usize) {
        let mut connection = self.connections[who].clone();
        while !self.try_acquire(who).await {
            let mut wait = redis::cmd("BLPOP");
            wait.arg(&self.wake).arg(FALLBACK_S);
            let woken: RedisResult<Option<(String, String)>> = wait.query_async(&mut connection).await;
            woken.expect("the server answers");
        }
    }

    async fn release(&self, who: usize, _held: ()) {
        let mut release = redis::cmd("EVALSHA");
        release.arg(&self.sha1).arg(2).arg(&self.lock).arg(&self.wake).arg(who);
        let released: RedisResult<i64> = release.query_async(&mut self.connections[who].clone()).await;
        assert_eq!(released.expect("the server answers"), 1, "it was held");
    }

    async fn waiting(&self, server: &Server) -> usize {
        gauge::info(server, "clients", "blocked_clients") as usize
    }

    async fn close(&self) {}
}
