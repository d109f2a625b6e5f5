//! Who watches over the servers: where the sentinels are, and how to log in there.

use std::fmt;
use std::time::Duration;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use semafence::Error;

use crate::endpoint::tcp_settings;
use crate::options::{check_address, check_login, config, with_tls};
use crate::tls::Tls;
use crate::watchers::{Watcher, Watchers};

const SENTINELS_MAX: usize = 100;
const SERVICE_MAX: usize = 255;

/// The sentinels of a deployment, and the name they know it by.
///
/// One that answers is enough; give all of them, so that one that is down or hangs costs nothing. Of answers that differ the
/// one with the highest configuration epoch counts.
///
/// # Examples
///
/// ```
/// use semafence_redis::{Options, Redis, Sentinels};
///
/// let sentinels = Sentinels::new("orders")
///     .node("10.0.0.1", 26379)
///     .node("10.0.0.2", 26379)
///     .node("10.0.0.3", 26379)
///     .password("sentinels' own");
/// let redis = Redis::new(Options::sentinels(sentinels).password("servers' own"))?;
/// # Ok::<(), semafence_redis::Error>(())
/// ```
#[derive(Clone)]
pub struct Sentinels {
    service: String,
    nodes: Vec<(String, u16)>,
    login: RedisConnectionInfo,
    channel: Channel,
    min_others: u32,
}

/// How sentinels are spoken to.
#[derive(Debug, Clone)]
enum Channel {
    AsServers,
    Plain,
    Tls(Tls),
}

impl Sentinels {
    /// The sentinels of the service with that name, as in their `sentinel monitor NAME …`; 1–255 bytes. None is known yet:
    /// add them by [`node`](Self::node).
    pub fn new(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            nodes: Vec::new(),
            login: RedisConnectionInfo::default(),
            channel: Channel::AsServers,
            min_others: 0,
        }
    }

    /// Adds a sentinel by host name or address, and port: 26379 unless configured otherwise there. 1–100 of them.
    #[must_use]
    pub fn node(mut self, host: impl Into<String>, port: u16) -> Self {
        self.nodes.push((host.into(), port));
        self
    }

    /// The ACL user of the sentinels; their `default` unless set. Needs a password.
    #[must_use]
    pub fn username(mut self, username: impl AsRef<str>) -> Self {
        self.login = self.login.set_username(username);
        self
    }

    /// The password of the sentinels, which need not be that of the servers; none unless set.
    #[must_use]
    pub fn password(mut self, password: impl AsRef<str>) -> Self {
        self.login = self.login.set_password(password);
        self
    }

    /// Speaks TLS with the sentinels, with trust of their own. Unless set, they are spoken to as the servers are: with
    /// [`Options::tls`](crate::Options::tls), or without.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.channel = Channel::Tls(tls);
        self
    }

    /// Speaks no TLS with the sentinels, also where the servers are spoken to with TLS. Their password goes over the wire
    /// as it is then.
    #[must_use]
    pub fn without_tls(mut self) -> Self {
        self.channel = Channel::Plain;
        self
    }

    /// Believes only a sentinel that knows at least so many others; 0 unless set. With half of them, rounded down, one
    /// that has been cut off from the others since it started is not believed.
    #[must_use]
    pub fn min_others(mut self, others: u32) -> Self {
        self.min_others = others;
        self
    }

    /// Checks everything; `servers` is how the servers are spoken to, and `connect_timeout` has time for two questions.
    pub(crate) fn into_watchers(self, servers: Option<&Tls>, connect_timeout: Duration) -> Result<Watchers, Error> {
        if !(1..=SERVICE_MAX).contains(&self.service.len()) {
            let reason = format!("has {} bytes, not 1 to {SERVICE_MAX}", self.service.len());
            return Err(config("sentinel service", reason));
        }
        if !(1..=SENTINELS_MAX).contains(&self.nodes.len()) {
            let reason = format!("are {}, not 1 to {SENTINELS_MAX}", self.nodes.len());
            return Err(config("sentinels", reason));
        }
        check_login(&self.login).map_err(of_sentinels)?;
        let tls = match &self.channel {
            Channel::AsServers => servers,
            Channel::Plain => None,
            Channel::Tls(tls) => Some(tls),
        };
        let watchers = self.nodes.iter().map(|node| watcher(node, &self.login, tls));
        Ok(Watchers::new(
            self.service,
            watchers.collect::<Result<_, _>>().map_err(of_sentinels)?,
            self.min_others,
            connect_timeout / 2,
            self.login.password(),
        ))
    }

    pub(crate) fn has_tls(&self) -> bool {
        matches!(self.channel, Channel::Tls(_))
    }
}

fn watcher((host, port): &(String, u16), login: &RedisConnectionInfo, tls: Option<&Tls>) -> Result<Watcher, Error> {
    let address = ConnectionAddr::Tcp(host.clone(), *port);
    check_address(&address)?;
    let info = address
        .into_connection_info()
        .map(|info| info.set_redis_settings(login.clone()));
    let info = info.expect("an address needs nothing else to be connection info");
    let info = match tls {
        Some(tls) => tls.clone().apply(with_tls(info)?)?,
        None => info,
    };
    Ok(Watcher::new(open(info), format!("{host}:{port}")))
}

fn open(info: ConnectionInfo) -> Client {
    let settings = tcp_settings(info.tcp_settings());
    Client::open(info.set_tcp_settings(settings)).expect("connection info needs no parsing")
}

/// The same field of the servers has the same name without this.
fn of_sentinels(error: Error) -> Error {
    match error {
        Error::Config { field, reason } => config("sentinels", format!("have a {field} that {reason}")),
        other => other,
    }
}

impl fmt::Debug for Sentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sentinels")
            .field("service", &self.service)
            .field("nodes", &self.nodes)
            .field("username", &self.login.username())
            .field("password", &self.login.password().map(|_| format_args!("***")))
            .field("channel", &self.channel)
            .field("min_others", &self.min_others)
            .finish()
    }
}
