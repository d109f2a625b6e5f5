//! The same two scripts, sent as they are through the same driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use semafence::script::{self, Invocation, Script};
use semafence::{Claim, HolderId, Inbox, Name, Queueing};
use semafence_redis::redis::aio::MultiplexedConnection;
use semafence_redis::redis::{self, Cmd, RedisResult};

use crate::contender::Contender;
use crate::site::Site;

/// What a driver's user would write by hand: no keeper, no timeout, no waiting, no errors to speak of.
pub(crate) struct Bare {
    connection: MultiplexedConnection,
    locks: Vec<Lock>,
    holders: AtomicU64,
}

/// The calls for one name, but for the holder, which is the first argument of both.
struct Lock {
    acquire: Prepared,
    release: Prepared,
}

struct Prepared {
    script: &'static Script,
    keys: Vec<String>,
    rest: Vec<String>,
}

impl Bare {
    pub(crate) async fn new(site: &Site, tasks: usize) -> Self {
        let mut connection = site.connect().await;
        let locks: Vec<Lock> = (0..tasks).map(Lock::new).collect();
        for prepared in [&locks[0].acquire, &locks[0].release] {
            let mut load = redis::cmd("SCRIPT");
            load.arg("LOAD").arg(prepared.script.source());
            let loaded: RedisResult<String> = load.query_async(&mut connection).await;
            loaded.expect("the scripts load");
        }
        Self {
            connection,
            locks,
            holders: AtomicU64::new(1),
        }
    }

    async fn pair(&self, connection: &mut MultiplexedConnection, task: usize) {
        let lock = &self.locks[task];
        let holder = format!("{:032x}", self.holders.fetch_add(1, Ordering::Relaxed));
        for call in [&lock.acquire, &lock.release] {
            let reply: RedisResult<Vec<i64>> = call.command(&holder).query_async(connection).await;
            assert_eq!(reply.expect("the server answers")[0], 1, "granted, and held until now");
        }
    }
}

impl Lock {
    fn new(task: usize) -> Self {
        let claim = claim(&format!("b{task}"), 0, 1);
        Self {
            acquire: Prepared::new(&script::acquire(&claim, Queueing::Never)),
            release: Prepared::new(&script::release(&claim)),
        }
    }
}

impl Prepared {
    fn new(invocation: &Invocation) -> Self {
        Self {
            script: invocation.script,
            keys: invocation.keys().to_vec(),
            rest: invocation.args().skip(1).map(str::to_owned).collect(),
        }
    }

    fn command(&self, holder: &str) -> Cmd {
        let mut command = redis::cmd("EVALSHA");
        command.arg(self.script.sha1()).arg(self.keys.len());
        command.arg(&self.keys).arg(holder).arg(&self.rest);
        command
    }
}

/// A claim as a mutex with the defaults makes it.
pub(crate) fn claim(name: &str, holder: u128, limit: u32) -> Claim {
    Claim {
        name: Name::new(semafence::DEFAULT_NAMESPACE, name).expect("a good name"),
        holder: HolderId::from_bits(holder),
        limit,
        weight: 1,
        ttl: Duration::from_secs(30),
        window: Duration::from_secs(2),
        patience: Duration::from_secs(8),
        inbox: Inbox::from_bits(1),
        meta: Arc::from(""),
        client_time: None,
        stepless: false,
        doubtful: false,
        grace: Duration::ZERO,
        grant: None,
    }
}

#[async_trait]
impl Contender for Bare {
    fn name(&self) -> &'static str {
        "bare scripts"
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
