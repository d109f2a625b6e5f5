//! Where the server is and how to speak to it.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisConnectionInfo};
use semafence::Error;
use url::{ParseError, Url};

use crate::connector::{Connector, Login, Place};
use crate::endpoint::Endpoint;
use crate::route::{Route, Template};
use crate::sentinel_url;
use crate::sentinels::Sentinels;
use crate::tls::{self, Tls};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT_MIN: Duration = Duration::from_millis(1);
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
const DB_MAX: i64 = i32::MAX as i64;

/// Where the server is, who logs in there, and how long things may take.
///
/// Nothing is checked before [`Redis::new`](crate::Redis::new), which names the field that is wrong; only a URL is read
/// at once.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use semafence_redis::{Options, Redis, Tls};
///
/// let options = Options::tcp("redis.internal", 6380)
///     .tls(Tls::new())
///     .username("jobs")
///     .password("secret")
///     .db(3)
///     .connect_timeout(Duration::from_secs(1));
/// let redis = Redis::new(options)?;
/// # Ok::<(), semafence_redis::Error>(())
/// ```
#[derive(Clone)]
pub struct Options {
    info: ConnectionInfo,
    /// Where they are given, the address in `info` is that of nobody.
    sentinels: Option<Sentinels>,
    tls: Option<Tls>,
    protocol: Protocol,
    connect_timeout: Duration,
    response_timeout: Duration,
}

/// The version of the Redis protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Protocol {
    /// Version 3 where the server has it, else version 2.
    #[default]
    Auto,
    /// Version 2: wake-ups need a connection of their own.
    Resp2,
    /// Version 3: wake-ups and commands share a connection. A server without it is an error.
    Resp3,
}

impl Options {
    /// A server by host name or address, and port.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::at(ConnectionAddr::Tcp(host.into(), port))
    }

    /// A server on this machine, by the path of its Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::at(ConnectionAddr::Unix(path.into()))
    }

    /// The server that sentinels take for the master, wherever it is.
    ///
    /// A connection is left when the sentinels name another master, and a server that takes itself for a replica is not
    /// used. Claims ask for a [grace](crate::Claim::grace) unless the configuration says otherwise.
    pub fn sentinels(sentinels: Sentinels) -> Self {
        let nobody = ConnectionAddr::Tcp(String::new(), 0);
        Self {
            sentinels: Some(sentinels),
            ..Self::at(nobody)
        }
    }

    fn at(address: ConnectionAddr) -> Self {
        let info = address
            .into_connection_info()
            .expect("an address needs nothing else to be connection info");
        Self::from_info(info)
    }

    fn from_info(info: ConnectionInfo) -> Self {
        Self {
            info,
            sentinels: None,
            tls: None,
            protocol: Protocol::Auto,
            connect_timeout: CONNECT_TIMEOUT,
            response_timeout: RESPONSE_TIMEOUT,
        }
    }

    /// Reads `redis://[user:password@]host[:port][/db]`, `rediss://…` for TLS,
    /// `redis+unix:///path[?db=…&user=…&pass=…]`, or, behind [sentinels](Self::sentinels),
    /// `redis-sentinel://[user:password@]host[:port][/db]?sentinelServiceName=…`, `rediss-sentinel://…` for TLS with all of
    /// them.
    ///
    /// `valkey://`, `valkeys://`, `valkey+unix://`, `unix://`, `valkey-sentinel://` and `valkeys-sentinel://` mean the same.
    /// `?protocol=resp2` or `resp3` settles the [protocol](Self::protocol). User and password are percent-decoded.
    ///
    /// A URL of sentinels has the address of one of them, port 26379 unless given, and those of the others as
    /// `node=host[:port]`, once for each; `sentinelUsername`, `sentinelPassword` and `minOtherSentinels` are as in
    /// [`Sentinels`].
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `url`, whose text never repeats the URL.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        if let Some(sentinels) = sentinel_url::read(url) {
            return sentinels;
        }
        let parsed = redis::parse_redis_url(url).ok_or_else(|| config("url", unreadable(Url::parse(url))))?;
        match parsed.fragment() {
            None => {}
            Some("insecure") => return Err(config("url", "asks for TLS without verification, which is not offered")),
            Some(_) => return Err(config("url", "has a `#`, which must be percent-encoded")),
        }
        let chosen = parsed.query_pairs().any(|(key, _)| key == "protocol");
        let info = parsed
            .into_connection_info()
            .map_err(|error| config("url", format!("is not usable: {}", url_problem(&error))))?;
        let protocol = match info.redis_settings().protocol() {
            ProtocolVersion::RESP3 => Protocol::Resp3,
            _ if chosen => Protocol::Resp2,
            _ => Protocol::Auto,
        };
        Ok(Self::from_info(info).protocol(protocol))
    }

    /// Takes address, TLS, login and database of a redis-rs client.
    ///
    /// The protocol becomes [`Resp3`](Protocol::Resp3) where the client says so, and [`Auto`](Protocol::Auto) otherwise.
    #[must_use]
    pub fn from_client(client: &Client) -> Self {
        let info = client.get_connection_info().clone();
        let protocol = match info.redis_settings().protocol() {
            ProtocolVersion::RESP3 => Protocol::Resp3,
            _ => Protocol::Auto,
        };
        Self::from_info(info).protocol(protocol)
    }

    /// The number of the database; 0 unless set.
    #[must_use]
    pub fn db(self, db: i64) -> Self {
        self.map_login(|login| login.set_db(db))
    }

    /// The ACL user; the server's `default` unless set. Needs a password.
    #[must_use]
    pub fn username(self, username: impl AsRef<str>) -> Self {
        self.map_login(|login| login.set_username(username))
    }

    /// The password.
    #[must_use]
    pub fn password(self, password: impl AsRef<str>) -> Self {
        self.map_login(|login| login.set_password(password))
    }

    /// Speaks TLS, also where the URL did not say so; with sentinels, too, unless they have settings of their own.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// The version of the protocol; [`Protocol::Auto`] unless set.
    #[must_use]
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// How long looking up, connecting, logging in and loading the scripts may take together; 1 ms–60 s, 2 s unless set.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long one answer may take; 1 ms–60 s, 2 s unless set. Verbs of a claim also keep within
    /// [`Claim::timeout`](crate::Claim::timeout).
    #[must_use]
    pub fn response_timeout(mut self, timeout: Duration) -> Self {
        self.response_timeout = timeout;
        self
    }

    fn map_login(mut self, change: impl FnOnce(RedisConnectionInfo) -> RedisConnectionInfo) -> Self {
        let login = change(self.info.redis_settings().clone());
        self.info = self.info.set_redis_settings(login);
        self
    }

    pub(crate) fn into_connector(self) -> Result<Connector, Error> {
        check_timeout("connect_timeout", self.connect_timeout)?;
        check_timeout("response_timeout", self.response_timeout)?;
        check_login(self.info.redis_settings())?;
        let login = Login::new(&self.info, self.protocol);
        let place = match self.sentinels {
            Some(sentinels) => place_behind(sentinels, self.info, self.tls, self.connect_timeout)?,
            None => place_at(self.info, self.tls)?,
        };
        Ok(Connector::new(
            place,
            login,
            self.connect_timeout,
            self.response_timeout,
        ))
    }
}

fn place_at(info: ConnectionInfo, tls: Option<Tls>) -> Result<Place, Error> {
    check_address(info.addr())?;
    let info = secured(info, tls)?;
    Ok(Place::Server(Arc::new(Endpoint::new(&info))))
}

fn place_behind(
    sentinels: Sentinels,
    nobody: ConnectionInfo,
    tls: Option<Tls>,
    connect_timeout: Duration,
) -> Result<Place, Error> {
    if sentinels.has_tls() {
        tls::choose_provider();
    }
    let watchers = sentinels.into_watchers(tls.as_ref(), connect_timeout)?;
    let template = Template::new(secured(nobody, tls)?);
    Ok(Place::Master(Box::new(Route::new(watchers, template))))
}

fn secured(info: ConnectionInfo, tls: Option<Tls>) -> Result<ConnectionInfo, Error> {
    let info = match tls {
        Some(tls) => tls.apply(with_tls(info)?)?,
        None => info,
    };
    if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
        tls::choose_provider();
    }
    Ok(info)
}

pub(crate) fn config(field: &'static str, reason: impl Into<Cow<'static, str>>) -> Error {
    Error::Config {
        field,
        reason: reason.into(),
    }
}

/// Why a text is not read as a URL at all.
pub(crate) fn unreadable(read: Result<Url, ParseError>) -> &'static str {
    match read {
        // A slash in a password ends the host, and what is before it looks like a port.
        Err(ParseError::InvalidPort) => {
            "has a port that is not a number up to 65535, or a `/`, `?` or `#` in its password, which must be percent-encoded"
        }
        _ => "is not a URL of the form redis://, rediss://, redis+unix://, redis-sentinel:// or their valkey twins",
    }
}

/// What redis-rs says about a URL, without the detail, which may quote it.
fn url_problem(error: &redis::RedisError) -> String {
    let said = error.to_string();
    let (problem, _) = said.split_once(" - ").unwrap_or((&said, ""));
    problem.to_lowercase()
}

fn check_timeout(field: &'static str, timeout: Duration) -> Result<(), Error> {
    if (TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout) {
        return Ok(());
    }
    let reason = format!("is {timeout:?}, not between {TIMEOUT_MIN:?} and {TIMEOUT_MAX:?}");
    Err(config(field, reason))
}

pub(crate) fn check_address(address: &ConnectionAddr) -> Result<(), Error> {
    match address {
        ConnectionAddr::Tcp(host, _) | ConnectionAddr::TcpTls { host, .. } if host.is_empty() => {
            Err(config("host", "is empty"))
        }
        ConnectionAddr::Tcp(_, 0) | ConnectionAddr::TcpTls { port: 0, .. } => Err(config("port", "is 0")),
        ConnectionAddr::TcpTls { insecure: true, .. } => {
            Err(config("tls", "is asked for without verification, which is not offered"))
        }
        ConnectionAddr::Unix(path) if path.as_os_str().is_empty() => Err(config("path", "is empty")),
        _ => Ok(()),
    }
}

/// Who writes `redis://password@host` has named a user.
const MISSING: &str = "is missing beside a username; a password alone is redis://:password@host";

pub(crate) fn check_login(login: &RedisConnectionInfo) -> Result<(), Error> {
    if !(0..=DB_MAX).contains(&login.db()) {
        return Err(config("db", format!("is {}, not between 0 and {DB_MAX}", login.db())));
    }
    // Without a password nobody would log in at all, and everything would run as the default user.
    if login.username().is_some() && login.password().is_none() {
        return Err(config("password", MISSING));
    }
    Ok(())
}

pub(crate) fn with_tls(info: ConnectionInfo) -> Result<ConnectionInfo, Error> {
    match info.addr().clone() {
        ConnectionAddr::Tcp(host, port) => Ok(info.set_addr(ConnectionAddr::TcpTls {
            host,
            port,
            insecure: false,
            tls_params: None,
        })),
        ConnectionAddr::TcpTls { .. } => Ok(info),
        _ => Err(config("tls", "needs a host, not a Unix socket")),
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = self.info.redis_settings();
        let mut shown = f.debug_struct("Options");
        match &self.sentinels {
            Some(sentinels) => shown.field("sentinels", sentinels),
            None => shown.field("address", &format_args!("{}", self.info.addr())),
        };
        shown
            .field("db", &login.db())
            .field("username", &login.username())
            .field("password", &login.password().map(|_| format_args!("***")))
            .field("tls", &self.tls)
            .field("protocol", &self.protocol)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Redis;

    fn refusal(options: Result<Options, Error>) -> String {
        options.and_then(Redis::new).unwrap_err().to_string()
    }

    #[test]
    fn a_field_out_of_range_is_named() {
        let local = || Options::tcp("localhost", 6379);
        let refused = [
            (Options::tcp("", 6379), "host is empty"),
            (Options::tcp("localhost", 0), "port is 0"),
            (Options::unix(""), "path is empty"),
            (local().db(-1), "db is -1, not between 0 and 2147483647"),
            (
                local().username("jobs"),
                "password is missing beside a username; a password alone is redis://:password@host",
            ),
            (
                local().connect_timeout(Duration::ZERO),
                "connect_timeout is 0ns, not between 1ms and 60s",
            ),
            (
                local().response_timeout(Duration::MAX),
                "response_timeout is 18446744073709551615.999999999s, not between 1ms and 60s",
            ),
            (
                Options::unix("/tmp/redis.sock").tls(Tls::new()),
                "tls needs a host, not a Unix socket",
            ),
            (
                local().tls(Tls::new().ca_pem("no certificate")),
                "tls has a PEM text without a certificate",
            ),
        ];
        for (options, words) in refused {
            assert_eq!(refusal(Ok(options)), words);
        }
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(refusal(Ok(local().tls(Tls::new().ca_pem(bad)))).starts_with("tls is not usable: "));
    }

    #[test]
    fn a_url_that_is_none_is_refused_without_being_repeated() {
        let urls = [
            "",
            "secret",
            "http://user:secret@localhost",
            "redis://user:sec/ret@localhost",
            "redis://user:secret@localhost/nine",
            "redis://user:secret@localhost/?protocol=secret",
            "redis://user:secret@localhost:99999",
            "rediss://user:secret@localhost/#insecure",
            "rediss://user:secret@localhost/#secret",
            "redis://:secret@/0",
            "redis://user@localhost",
        ];
        for url in urls {
            let refused = refusal(Options::from_url(url));
            println!("{url:?}: {refused}");

            assert!(
                refused.starts_with("url ") || refused.starts_with("password "),
                "{refused}"
            );
            assert!(!refused.contains("sec"), "{refused}");
            assert!(
                !url.contains("99999") || refused.contains("has a port that"),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_url_settles_address_database_login_and_protocol() {
        let shown = |url| format!("{:?}", Options::from_url(url).unwrap());

        let full = shown("rediss://jobs:s%40cret@[::1]:6380/3?protocol=resp2");
        let least = shown("valkey://localhost");
        let unix = shown("redis+unix:///run/redis.sock?db=2&pass=s@cret");

        assert!(
            full.contains("address: ::1:6380, db: 3, username: Some(\"jobs\"), password: Some(***)"),
            "{full}"
        );
        assert!(full.contains("protocol: Resp2"), "{full}");
        assert!(
            least.contains("address: localhost:6379, db: 0, username: None, password: None"),
            "{least}"
        );
        assert!(
            least.contains("protocol: Auto, connect_timeout: 2s, response_timeout: 2s"),
            "{least}"
        );
        assert!(unix.contains("address: /run/redis.sock, db: 2"), "{unix}");
        assert!(!format!("{full}{unix}").contains("cret"));
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let client = Client::open("redis://jobs:secret@localhost").unwrap();
        let key = "-----BEGIN PRIVATE KEY-----secret";
        let options = Options::from_client(&client).tls(Tls::new().client_pem("secret", key));
        let redis = Redis::from_client(&client).unwrap();

        let shown = format!("{options:?} {redis:?} {redis:#?}");

        assert!(shown.contains("jobs") && !shown.contains("secret"), "{shown}");
    }
}
