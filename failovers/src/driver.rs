//! Which client library speaks to the servers.

use std::sync::Arc;

use semafence::{Error, LockBackend};
use semafence_fred::Fred;
use semafence_redis::Redis;

/// Which client library speaks to the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Driver {
    /// fred, by `semafence-fred`.
    Fred,
    /// redis-rs, by `semafence-redis`.
    RedisRs,
}

impl Driver {
    /// All of them; the last is what others are compared with.
    pub const ALL: [Self; 2] = [Self::Fred, Self::RedisRs];

    /// A backend for the servers at a URL. Talks to nobody yet.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when the URL is wrong.
    pub fn backend(self, url: &str) -> Result<Arc<dyn LockBackend>, Error> {
        match self {
            Self::Fred => Ok(Arc::new(Fred::from_url(url)?)),
            Self::RedisRs => Ok(Arc::new(Redis::from_url(url)?)),
        }
    }

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fred => "fred",
            Self::RedisRs => "redis-rs",
        }
    }
}
