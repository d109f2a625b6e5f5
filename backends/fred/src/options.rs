//! Where the server is and how to speak to it.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use fred::types::config::{Server, ServerConfig, TlsConfig};
use semafence::Error;

use crate::connector::{Connector, Place};
use crate::line::Target;
use crate::sentinels::Sentinels;
use crate::tls::Tls;
use crate::url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
const TIMEOUT_MIN: Duration = Duration::from_millis(1);
const TIMEOUT_MAX: Duration = Duration::from_secs(60);
const DB_MAX: u32 = i32::MAX as u32;

/// Where the server is, who logs in there, and how long things may take.
///
/// Nothing is checked before [`Fred::new`](crate::Fred::new), which names the field that is wrong; only a URL is read at
/// once.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use semafence_fred::{Fred, Options, Tls};
///
/// let options = Options::sentinel("main", [("10.0.0.1", 26379), ("10.0.0.2", 26379), ("10.0.0.3", 26379)])
///     .tls(Tls::new())
///     .username("jobs")
///     .password("secret")
///     .sentinel_password("another secret")
///     .connect_timeout(Duration::from_secs(1));
/// let fred = Fred::new(options)?;
/// # Ok::<(), semafence_fred::Error>(())
/// ```
#[derive(Clone)]
pub struct Options {
    pub(crate) address: Address,
    pub(crate) db: u32,
    pub(crate) login: Login,
    pub(crate) sentinel_login: Login,
    pub(crate) min_other_sentinels: Option<u32>,
    tls: Option<Tls>,
    connect_timeout: Duration,
    response_timeout: Duration,
}

#[derive(Debug, Clone)]
pub(crate) enum Address {
    Tcp(String, u16),
    Unix(PathBuf),
    Sentinels {
        service: String,
        sentinels: Vec<(String, u16)>,
    },
}

#[derive(Clone, Default)]
pub(crate) struct Login {
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
}

impl Options {
    /// A server by host name or address, and port.
    pub fn tcp(host: impl Into<String>, port: u16) -> Self {
        Self::at(Address::Tcp(host.into(), port))
    }

    /// A server on this machine, by the path of its Unix socket.
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::at(Address::Unix(path.into()))
    }

    /// The master of a service, by the service's name and the sentinels that watch over it: host and port of each.
    ///
    /// All of them are asked at once, so their order does not matter, and one that hangs costs 200 ms at most.
    pub fn sentinel<H: Into<String>>(
        service: impl Into<String>,
        sentinels: impl IntoIterator<Item = (H, u16)>,
    ) -> Self {
        Self::at(Address::Sentinels {
            service: service.into(),
            sentinels: sentinels.into_iter().map(|(host, port)| (host.into(), port)).collect(),
        })
    }

    pub(crate) fn at(address: Address) -> Self {
        Self {
            address,
            db: 0,
            login: Login::default(),
            sentinel_login: Login::default(),
            min_other_sentinels: None,
            tls: None,
            connect_timeout: CONNECT_TIMEOUT,
            response_timeout: RESPONSE_TIMEOUT,
        }
    }

    /// Reads `redis://[user:password@]host[:port][/db]`, `redis+unix:///path[?db=…&user=…&pass=…]`, or for Sentinel
    /// `redis-sentinel://[user:password@]host[:port][/db]?node=host:port&sentinelServiceName=…`, with one `node` for
    /// each further sentinel, and `sentinelUsername` and `sentinelPassword` where the sentinels want a login.
    ///
    /// `rediss://` and `rediss-sentinel://` speak TLS. `valkey` for `redis` means the same. Ports are 6379 and 26379
    /// unless given. User, password and service name are percent-decoded.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `url`, whose text never repeats the URL.
    pub fn from_url(url: &str) -> Result<Self, Error> {
        url::parse(url)
    }

    /// Takes address, login, database, and TLS as it is, of fred's own configuration; the sentinels' login is to be set here.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `server` when it is a cluster.
    pub fn from_config(config: &fred::types::config::Config) -> Result<Self, Error> {
        let address = match &config.server {
            ServerConfig::Centralized { server } => Address::Tcp(server.host.to_string(), server.port),
            ServerConfig::Sentinel {
                hosts, service_name, ..
            } => Address::Sentinels {
                service: service_name.clone(),
                sentinels: hosts
                    .iter()
                    .map(|server| (server.host.to_string(), server.port))
                    .collect(),
            },
            ServerConfig::Unix { path } => Address::Unix(path.clone()),
            ServerConfig::Clustered { .. } => return Err(self::config("server", "is a cluster")),
        };
        let mut options = Self::at(address);
        options.login.username.clone_from(&config.username);
        options.login.password.clone_from(&config.password);
        options.db = config.database.map_or(0, u32::from);
        options.tls = config.tls.clone().map(Tls::given);
        Ok(options)
    }

    /// The number of the database; 0 unless set.
    #[must_use]
    pub fn db(mut self, db: u32) -> Self {
        self.db = db;
        self
    }

    /// The ACL user; the server's `default` unless set. Needs a password.
    #[must_use]
    pub fn username(mut self, username: impl Into<String>) -> Self {
        self.login.username = Some(username.into());
        self
    }

    /// The password of the server.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.login.password = Some(password.into());
        self
    }

    /// The ACL user at the sentinels; their `default` unless set. Needs a sentinel password.
    #[must_use]
    pub fn sentinel_username(mut self, username: impl Into<String>) -> Self {
        self.sentinel_login.username = Some(username.into());
        self
    }

    /// The password of the sentinels; none unless set, also where the server has one.
    #[must_use]
    pub fn sentinel_password(mut self, password: impl Into<String>) -> Self {
        self.sentinel_login.password = Some(password.into());
        self
    }

    /// How many other sentinels one must know of for its word to count; 0 unless set.
    #[must_use]
    pub fn min_other_sentinels(mut self, others: u32) -> Self {
        self.min_other_sentinels = Some(others);
        self
    }

    /// Speaks TLS, with the sentinels, too, and also where the URL did not say so.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How long looking up, asking the sentinels, connecting, logging in and loading the scripts may take together;
    /// 1 ms–60 s, 2 s unless set.
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

    pub(crate) fn into_connector(self) -> Result<Connector, Error> {
        self.check()?;
        let tls = self.tls.map(Tls::into_config).transpose()?;
        Ok(Connector {
            place: place(
                self.address,
                self.sentinel_login,
                self.min_other_sentinels,
                tls.as_ref(),
            ),
            username: self.login.username,
            password: self.login.password,
            db: self.db,
            tls,
            connect_timeout: self.connect_timeout,
            response_timeout: self.response_timeout,
        })
    }

    fn check(&self) -> Result<(), Error> {
        check_timeout("connect_timeout", self.connect_timeout)?;
        check_timeout("response_timeout", self.response_timeout)?;
        check_address(&self.address)?;
        if self.db > DB_MAX {
            return Err(config("db", format!("is {}, not between 0 and {DB_MAX}", self.db)));
        }
        // Without a password nobody would log in at all, and everything would run as the default user.
        if self.login.username.is_some() && self.login.password.is_none() {
            return Err(config(
                "password",
                "is missing beside a username; a password alone is redis://:password@host",
            ));
        }
        if self.sentinel_login.username.is_some() && self.sentinel_login.password.is_none() {
            return Err(config("sentinel_password", "is missing beside a sentinel_username"));
        }
        match self.address {
            Address::Unix(_) if self.tls.is_some() => Err(config("tls", "needs a host, not a Unix socket")),
            Address::Sentinels { .. } => Ok(()),
            _ if self.sentinel_login.password.is_some() => Err(config("sentinel_password", "needs sentinels")),
            _ if self.min_other_sentinels.is_some() => Err(config("min_other_sentinels", "needs sentinels")),
            _ => Ok(()),
        }
    }
}

fn place(address: Address, login: Login, others_min: Option<u32>, tls: Option<&TlsConfig>) -> Place {
    match address {
        Address::Tcp(host, port) => Place::Server(ServerConfig::Centralized {
            server: Server::new(host, port),
        }),
        Address::Unix(path) => Place::Server(ServerConfig::Unix { path }),
        Address::Sentinels { service, sentinels } => {
            let target = |(host, port)| Target {
                server: ServerConfig::Centralized {
                    server: Server::new::<String>(host, port),
                },
                username: login.username.clone(),
                password: login.password.clone(),
                tls: tls.cloned(),
            };
            Place::Sentinels(Arc::new(Sentinels {
                service,
                targets: sentinels.into_iter().map(target).collect(),
                others_min: others_min.unwrap_or(0),
            }))
        }
    }
}

pub(crate) fn config(field: &'static str, reason: impl Into<Cow<'static, str>>) -> Error {
    Error::Config {
        field,
        reason: reason.into(),
    }
}

fn check_timeout(field: &'static str, timeout: Duration) -> Result<(), Error> {
    if (TIMEOUT_MIN..=TIMEOUT_MAX).contains(&timeout) {
        return Ok(());
    }
    let reason = format!("is {timeout:?}, not between {TIMEOUT_MIN:?} and {TIMEOUT_MAX:?}");
    Err(config(field, reason))
}

fn check_address(address: &Address) -> Result<(), Error> {
    match address {
        Address::Tcp(host, _) if host.is_empty() => Err(config("host", "is empty")),
        Address::Tcp(_, 0) => Err(config("port", "is 0")),
        Address::Unix(path) if path.as_os_str().is_empty() => Err(config("path", "is empty")),
        Address::Sentinels { service, .. } if service.is_empty() => Err(config("service", "is empty")),
        Address::Sentinels { sentinels, .. } if sentinels.is_empty() => Err(config("sentinels", "are none")),
        Address::Sentinels { sentinels, .. } if sentinels.iter().any(|(host, _)| host.is_empty()) => {
            Err(config("sentinels", "have a host that is empty"))
        }
        Address::Sentinels { sentinels, .. } if sentinels.iter().any(|(_, port)| *port == 0) => {
            Err(config("sentinels", "have a port that is 0"))
        }
        _ => Ok(()),
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| format_args!("***")))
            .finish()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("address", &self.address)
            .field("db", &self.db)
            .field("login", &self.login)
            .field("sentinel_login", &self.sentinel_login)
            .field("min_other_sentinels", &self.min_other_sentinels)
            .field("tls", &self.tls)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Fred;

    fn refusal(options: Options) -> String {
        Fred::new(options).unwrap_err().to_string()
    }

    #[test]
    fn a_field_out_of_range_is_named() {
        let local = || Options::tcp("localhost", 6379);
        let watched = || Options::sentinel("main", [("localhost", 26379)]);
        let refused = [
            (Options::tcp("", 6379), "host is empty"),
            (Options::tcp("localhost", 0), "port is 0"),
            (Options::unix(""), "path is empty"),
            (Options::sentinel("", [("localhost", 26379)]), "service is empty"),
            (Options::sentinel::<&str>("main", []), "sentinels are none"),
            (
                Options::sentinel("main", [("", 1)]),
                "sentinels have a host that is empty",
            ),
            (
                Options::sentinel("main", [("a", 1), ("b", 0)]),
                "sentinels have a port that is 0",
            ),
            (local().db(u32::MAX), "db is 4294967295, not between 0 and 2147483647"),
            (
                local().username("jobs"),
                "password is missing beside a username; a password alone is redis://:password@host",
            ),
            (local().sentinel_password("secret"), "sentinel_password needs sentinels"),
            (local().min_other_sentinels(2), "min_other_sentinels needs sentinels"),
            (
                watched().sentinel_username("jobs"),
                "sentinel_password is missing beside a sentinel_username",
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
            assert_eq!(refusal(options), words);
        }
        let bad = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(refusal(local().tls(Tls::new().ca_pem(bad))).starts_with("tls is not usable: "));
    }

    #[test]
    fn a_configuration_of_freds_settles_the_same() {
        let url = "redis-sentinel://jobs:secret@10.0.0.1:1/3?sentinelServiceName=main";
        let config = fred::types::config::Config::from_url(url).unwrap();
        let cluster = fred::types::config::Config::from_url("redis-cluster://10.0.0.1:1").unwrap();

        let shown = format!("{:?}", Options::from_config(&config).unwrap());

        assert_eq!(shown, format!("{:?}", Options::from_url(url).unwrap()));
        let refused = Options::from_config(&cluster).unwrap_err();
        assert_eq!(refused.to_string(), "server is a cluster");
    }

    #[test]
    fn a_secret_is_shown_nowhere() {
        let certificate = rcgen::generate_simple_self_signed([]).unwrap();
        let options = Options::sentinel("main", [("localhost", 26379)])
            .username("jobs")
            .password("secret")
            .sentinel_username("watchers")
            .sentinel_password("secret")
            .tls(Tls::new().client_pem(certificate.cert.pem(), certificate.signing_key.serialize_pem()));
        let fred = Fred::new(options.clone()).unwrap();

        let shown = format!("{options:?} {fred:?} {fred:#?}");

        assert!(shown.contains("jobs") && shown.contains("watchers"), "{shown}");
        assert!(!shown.contains("secret") && !shown.contains("PRIVATE"), "{shown}");
    }
}
