//! What rslock does: `SET key holder NX PX ttl`, and a script that deletes the key if it is still the holder's.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use semafence_redis::redis::aio::MultiplexedConnection;
use semafence_redis::redis::{self, RedisResult};

use crate::contender::Contender;
use crate::site::Site;

const RELEASE: &str =
    "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) else return 0 end";

/// A lock without queue, token or count: the floor.
pub(crate) struct Rslock {
    connection: MultiplexedConnection,
    sha1: String,
    holders: AtomicU64,
}

impl Rslock {
    pub(crate) async fn new(site: &Site) -> Self {
        let mut connection = site.connect().await;
        Self {
            sha1: load(&mut connection, RELEASE).await,
            connection,
            holders: AtomicU64::new(1),
        }
    }

    async fn pair(&self, connection: &mut MultiplexedConnection, task: usize) {
        let holder = format!("{:032x}", self.holders.fetch_add(1, Ordering::Relaxed));
        let key = format!("lock{task}");
        let mut set = redis::cmd("SET");
        set.arg(&key).arg(&holder).arg("NX").arg("PX").arg(30_000);
        let was_set: RedisResult<bool> = set.query_async(connection).await;
        assert!(was_set.expect("the server answers"), "the lock is free");
        let mut release = redis::cmd("EVALSHA");
        release.arg(&self.sha1).arg(1).arg(&key).arg(&holder);
        let deleted: RedisResult<i64> = release.query_async(connection).await;
        assert_eq!(deleted.expect("the server answers"), 1, "it was held");
    }
}

#[async_trait]
impl Contender for Rslock {
    fn name(&self) -> &'static str {
        "SET NX + script"
    }

    async fn work(&self, task: usize, enough: &(dyn Fn(u64) -> bool + Sync)) -> u64 {
        let mut connection = self.connection.clone();
        let mut pairs = 0;
        while !enough(pairs) {
            self.pair(&mut connection, task).await;
            pairs += 1;
        }
        pairs
    }
}

/// Puts a script into the server's cache and returns its SHA-1.
pub(crate) async fn load(connection: &mut MultiplexedConnection, script: &str) -> String {
    let loaded: RedisResult<String> = redis::cmd("SCRIPT")
        .arg("LOAD")
        .arg(script)
        .query_async(connection)
        .await;
    loaded.expect("the script loads")
}
