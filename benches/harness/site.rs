//! Where it is measured: one server on this machine.

use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use semafence_redis::Redis;
use semafence_redis::redis::aio::MultiplexedConnection;
use semafence_redis::redis::{self, AsyncConnectionConfig, Client as Driver};
use serde_json::json;
use tokio::runtime::{Builder as Runtimes, Runtime};
use xtask::{Builder, Server};

use crate::report::Row;

/// Descriptors that are needed besides one for each waiter.
const SPARE_DESCRIPTORS: u64 = 200;

/// One server, and how thoroughly to measure on it.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) is_quick: bool,
    descriptors: u64,
}

/// Which tokio runtime the contenders run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flavor {
    Current,
    Multi,
}

impl Site {
    /// Starts a server, or says that nothing is measured for lack of one.
    pub(crate) fn start(is_quick: bool) -> Option<Self> {
        let descriptors = raise_descriptors();
        let server = Builder::any()
            .args(["--maxclients", &descriptors.saturating_sub(32).to_string()])
            .start_or_skip()?;
        Some(Self {
            server,
            is_quick,
            descriptors,
        })
    }

    pub(crate) fn facts(&self) -> Row {
        let info = self.server.info("server");
        let version = info.get("valkey_version").or_else(|| info.get("redis_version"));
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        vec![
            ("cores", json!(cores)),
            ("server", json!(self.server.binary().display().to_string())),
            ("server_version", json!(version)),
            ("os", json!(info.get("os"))),
            ("load", json!(load())),
            ("quick", json!(self.is_quick)),
        ]
    }

    /// How many of `wanted` connections can be had; says so where it is fewer.
    pub(crate) fn connections(&self, wanted: usize) -> usize {
        let most = usize::try_from(self.descriptors.saturating_sub(SPARE_DESCRIPTORS)).unwrap_or(usize::MAX);
        if most < wanted {
            eprintln!("scaled down: {most} connections instead of {wanted}, because of ulimit -n");
        }
        wanted.min(most)
    }

    /// Whichever fits how thoroughly it is measured.
    pub(crate) fn choose<T>(&self, thorough: T, quick: T) -> T {
        if self.is_quick { quick } else { thorough }
    }

    pub(crate) fn client(&self) -> semafence::Client<Redis> {
        let redis = Redis::from_url(&self.server.url()).expect("the server's own URL is good");
        semafence::Client::new(redis).expect("a keeper can be started")
    }

    /// A bare connection of the same driver, without the driver's timeouts.
    pub(crate) async fn connect(&self) -> MultiplexedConnection {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(10)))
            .set_response_timeout(None);
        let driver = Driver::open(self.server.url()).expect("the server's own URL is good");
        let connected = driver.get_multiplexed_async_connection_with_config(&config).await;
        connected.expect("the server takes connections")
    }

    /// Removes all records, so that every round starts alike.
    pub(crate) async fn flush(&self) {
        let mut connection = self.connect().await;
        let flushed: redis::RedisResult<()> = redis::cmd("FLUSHALL").query_async(&mut connection).await;
        flushed.expect("FLUSHALL is allowed");
    }
}

impl Flavor {
    pub(crate) const BOTH: [Self; 2] = [Self::Current, Self::Multi];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Current => "current_thread",
            Self::Multi => "multi_thread",
        }
    }

    pub(crate) fn runtime(self) -> Runtime {
        let mut runtimes = match self {
            Self::Current => Runtimes::new_current_thread(),
            Self::Multi => Runtimes::new_multi_thread(),
        };
        runtimes.enable_all().build().expect("a runtime can be started")
    }
}

/// Raises the soft limit of open files to the hard one, for this process and the server it starts.
fn raise_descriptors() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => maximum.unwrap_or(u64::from(u16::MAX)),
        Err(_) => current.unwrap_or(u64::from(u16::MAX)),
    }
}

/// What else the machine was doing: the load over the last minute.
fn load() -> Option<String> {
    let text = std::fs::read_to_string("/proc/loadavg").ok()?;
    text.split(' ').next().map(str::to_owned)
}
