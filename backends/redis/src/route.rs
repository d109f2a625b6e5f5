//! The way to a master that may change.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt, OptionFuture};
use redis::aio::MultiplexedConnection;
use redis::{ConnectionAddr, ConnectionInfo, RedisError};
use semafence::{BackendError, Failure, Outcome};
use tokio::time::sleep;

use crate::connector::Login;
use crate::endpoint::Endpoint;
use crate::failure;
use crate::link::Link;
use crate::lookout::Lookout;
use crate::reply;
use crate::watchers::{Master, Watchers};

/// The pause between two questions to the sentinels while there is no connection.
const SEEK_PAUSE: Duration = Duration::from_millis(100);
/// The same while there is one: announcements come by themselves, and one that was lost is made up for.
const GUARD_PAUSE: Duration = Duration::from_secs(10);

/// The way to the server that sentinels take for the master.
#[derive(Debug)]
pub(crate) struct Route {
    watchers: Arc<Watchers>,
    server: Template,
    /// Why there is no connection, as far as that is known: whoever gives up waiting for one has nothing else to say.
    trouble: Mutex<Option<BackendError>>,
}

/// A server without its address.
pub(crate) struct Template(ConnectionInfo);

/// A connection that is being made.
type Trial<'a> = BoxFuture<'a, Result<Link, BackendError>>;

impl Route {
    pub(crate) fn new(watchers: Watchers, server: Template) -> Self {
        Self {
            watchers: Arc::new(watchers),
            server,
            trouble: Mutex::default(),
        }
    }

    /// Connects to the master, and turns to another as soon as the sentinels name one. The connection is left when they
    /// do so later.
    pub(crate) async fn connect(&self, login: &Login, limit: Duration) -> Result<Arc<Link>, BackendError> {
        let mut lookout = Lookout::new(Arc::clone(&self.watchers));
        let mut tried: Option<Master> = None;
        let mut trial = OptionFuture::<Trial<'_>>::default();
        let late = sleep(limit);
        tokio::pin!(late);
        loop {
            tokio::select! {
                biased;
                Some(connected) = &mut trial => {
                    trial = None.into();
                    match (connected, tried.take()) {
                        (Ok(link), Some(master)) => {
                            self.note(None);
                            return Ok(guarded(link, lookout, master));
                        }
                        (Err(error), _) if !error.is_transient() => return Err(error),
                        (connected, _) => self.note(connected.err()),
                    }
                }
                said = lookout.next(SEEK_PAUSE) => match said {
                    Ok(master) if tried.as_ref() != Some(&master) => {
                        let endpoint = Arc::new(self.server.at(&master));
                        trial = Some(async move { connect_to_master(login, &endpoint).await }.boxed()).into();
                        tried = Some(master);
                    }
                    Ok(_being_tried) => {}
                    Err(error) if !error.is_transient() => return Err(error),
                    Err(error) => self.note(Some(error)),
                },
                () = &mut late => return Err(self.late(limit)),
            }
        }
    }

    /// There was no connection in time, so nothing was sent.
    pub(crate) fn late(&self, limit: Duration) -> BackendError {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let why = trouble
            .as_ref()
            .map(|trouble| format!(": {trouble}"))
            .unwrap_or_default();
        let text = format!("cannot connect to {self} within {limit:?}{why}");
        BackendError::new(Failure::Transient, Outcome::NotApplied, text)
    }

    fn note(&self, trouble: Option<BackendError>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }
}

impl Template {
    /// The address in it does not count, but for TLS or not.
    pub(crate) fn new(server: ConnectionInfo) -> Self {
        Self(server)
    }

    fn at(&self, master: &Master) -> Endpoint {
        let (host, port) = (master.host.clone(), master.port);
        let address = match self.0.addr().clone() {
            ConnectionAddr::TcpTls {
                insecure, tls_params, ..
            } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure,
                tls_params,
            },
            _ => ConnectionAddr::Tcp(host, port),
        };
        Endpoint::new(&self.0.clone().set_addr(address))
    }
}

/// Sentinels name a master a little before it takes itself for one.
async fn connect_to_master(login: &Login, endpoint: &Arc<Endpoint>) -> Result<Link, BackendError> {
    let link = login.connect(endpoint).await?;
    match is_master(link.connection()).await {
        Ok(true) => Ok(link),
        Ok(false) => {
            let text = format!("{} is a replica, though the sentinels name it", endpoint.address());
            Err(BackendError::new(Failure::Transient, Outcome::NotApplied, text))
        }
        Err(error) => Err(failure::unconnected(&error, endpoint.address(), &[])),
    }
}

/// Of a server that does not say, the verbs will show it.
async fn is_master(mut connection: MultiplexedConnection) -> Result<bool, RedisError> {
    // Not ROLE: the scripts need the right to INFO anyway.
    let mut question = redis::cmd("INFO");
    question.arg("replication");
    let answer = connection.send_packed_command(&question).await?;
    let is_replica = |info: &str| info.lines().any(|line| line.starts_with("role:slave"));
    Ok(reply::info(&answer).is_none_or(|info| !is_replica(&info)))
}

fn guarded(link: Link, lookout: Lookout, master: Master) -> Arc<Link> {
    let link = Arc::new(link.in_epoch(master.epoch));
    link.set_guard(guard(Arc::downgrade(&link), lookout, master));
    link
}

/// Leaves a connection when the sentinels have another master: only a later one, since a sentinel that was cut off may
/// tell of an earlier.
async fn guard(link: Weak<Link>, mut lookout: Lookout, master: Master) {
    loop {
        let said = lookout.next(GUARD_PAUSE).await;
        let Some(link) = link.upgrade().filter(|link| !link.is_closed()) else {
            return;
        };
        match said {
            Ok(other) if other.epoch > master.epoch && !other.is_at(&master) => {
                tracing::info!(left = link.address(), host = %other.host, port = other.port, "another server is the master");
                link.leave();
                return;
            }
            Ok(_the_same) => {}
            Err(error) => tracing::debug!(%error, "cannot ask the sentinels"),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the master of `{}`", self.watchers.service())
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = self.0.redis_settings();
        f.debug_struct("Template")
            .field("db", &login.db())
            .field("username", &login.username())
            .finish_non_exhaustive()
    }
}
