//! Whoever lets waiters wait for one lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use semafence::{Client, Mutex, OwnedPermit};
use semafence_redis::Redis;
use semafence_redis::redis::aio::MultiplexedConnection;
use semafence_redis::redis::{self, RedisResult};
use xtask::Server;

use crate::gauge;
use crate::site::Site;

/// One lock, and many that wait for it in this process.
#[async_trait]
pub(crate) trait Line: Send + Sync + 'static {
    /// Connections that only the measuring needs.
    const CONTROL: f64;
    /// The right to be inside.
    type Held: Send + 'static;

    /// Opens what `waiters` of them need.
    async fn open(site: &Site, waiters: usize) -> Self;

    fn name() -> &'static str;

    async fn acquire(&self, who: usize) -> Self::Held;

    async fn release(&self, who: usize, held: Self::Held);

    /// How many wait, as the server counts them.
    async fn waiting(&self, server: &Server) -> usize;

    /// Ends all that is going on.
    async fn close(&self);
}

/// Returns once `count` wait.
pub(crate) async fn until_waiting<L: Line>(line: &L, server: &Server, count: usize) {
    let mut rest = 30_000;
    while line.waiting(server).await != count {
        tokio::time::sleep(Duration::from_millis(1)).await;
        rest -= 1;
        assert!(rest > 0, "{} waiters of {} never came to wait", count, L::name());
    }
}

/// The library as its users see it: one client for all of them.
pub(crate) struct OurLine {
    client: Client<Redis>,
    lock: Mutex<Redis>,
    control: MultiplexedConnection,
}

#[async_trait]
impl Line for OurLine {
    const CONTROL: f64 = 1.0;
    type Held = OwnedPermit;

    async fn open(site: &Site, _waiters: usize) -> Self {
        static LINES: AtomicU64 = AtomicU64::new(0);
        let client = site.client();
        let name = format!("line{}", LINES.fetch_add(1, Ordering::Relaxed));
        Self {
            lock: client.mutex(name).build().expect("a good name"),
            client,
            control: site.connect().await,
        }
    }

    fn name() -> &'static str {
        "semafence"
    }

    async fn acquire(&self, _who: usize) -> OwnedPermit {
        self.lock.lock_owned().await.expect("the lock is handed over")
    }

    async fn release(&self, _who: usize, held: OwnedPermit) {
        held.release().await.expect("the server answers");
    }

    async fn waiting(&self, _server: &Server) -> usize {
        let queue = &self.lock.name().keys()[3];
        let count: RedisResult<usize> = redis::cmd("ZCARD")
            .arg(queue)
            .query_async(&mut self.control.clone())
            .await;
        count.expect("the server answers")
    }

    async fn close(&self) {
        let closed = self.client.close().await;
        assert_eq!(closed.abandoned, 0, "everything is given back");
    }
}

/// Connections that are open, but for `control` that only the measuring needs.
pub(crate) fn connections(server: &Server, control: f64) -> f64 {
    gauge::connections(server) - control
}
