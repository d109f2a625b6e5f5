//! Makes connections.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{ConnectionInfo, RedisError, Value};
use semafence::BackendError;
use semafence::script::Script;
use tokio::time::timeout;

use crate::endpoint::Endpoint;
use crate::failure;
use crate::link::Link;
use crate::options::Protocol;
use crate::reply;
use crate::route::Route;

/// Everything needed to make a connection, checked.
#[derive(Debug)]
pub(crate) struct Connector {
    place: Place,
    login: Login,
    connect_timeout: Duration,
    response_timeout: Duration,
}

/// Where the server is.
#[derive(Debug)]
pub(crate) enum Place {
    /// Wherever the sentinels say.
    Master(Box<Route>),
    Server(Arc<Endpoint>),
}

/// How a connection begins.
pub(crate) struct Login {
    protocol: Protocol,
    /// A server did not know version 3 when it was asked.
    is_old: AtomicBool,
    secrets: Vec<String>,
}

impl Connector {
    pub(crate) fn new(place: Place, login: Login, connect_timeout: Duration, response_timeout: Duration) -> Self {
        Self {
            place,
            login,
            connect_timeout,
            response_timeout,
        }
    }

    /// Where connections go, in words.
    pub(crate) fn address(&self) -> String {
        match &self.place {
            Place::Master(route) => route.to_string(),
            Place::Server(endpoint) => endpoint.address().to_owned(),
        }
    }

    /// There was no connection in time, so nothing was sent.
    pub(crate) fn late(&self, within: Duration) -> BackendError {
        match &self.place {
            Place::Master(route) => route.late(within),
            Place::Server(endpoint) => failure::late(endpoint.address(), within),
        }
    }

    /// Whether another server may take over.
    pub(crate) fn fails_over(&self) -> bool {
        matches!(self.place, Place::Master(_))
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    pub(crate) fn response_timeout(&self) -> Duration {
        self.response_timeout
    }

    /// Connects, logs in, and loads the scripts.
    pub(crate) async fn connect(&self) -> Result<Arc<Link>, BackendError> {
        match &self.place {
            Place::Master(route) => route.connect(&self.login, self.connect_timeout).await,
            Place::Server(endpoint) => {
                let connecting = self.login.connect(endpoint);
                self.within_timeout(endpoint, connecting).await.map(Arc::new)
            }
        }
    }

    /// Opens a connection that only listens, to the server of another connection, for version 2 of the protocol.
    pub(crate) async fn connect_pubsub(&self, endpoint: &Endpoint) -> Result<PubSub, BackendError> {
        let connecting = async {
            let connected = endpoint.dial_pubsub().await;
            connected.map_err(|error| failure::unconnected(&error, endpoint.address(), &self.login.secrets))
        };
        self.within_timeout(endpoint, connecting).await
    }

    async fn within_timeout<T>(
        &self,
        endpoint: &Endpoint,
        connecting: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        match timeout(self.connect_timeout, connecting).await {
            Ok(connected) => connected,
            Err(_elapsed) => Err(failure::late(endpoint.address(), self.connect_timeout)),
        }
    }
}

impl Login {
    pub(crate) fn new(server: &ConnectionInfo, protocol: Protocol) -> Self {
        let secret = server.redis_settings().password().filter(|secret| !secret.is_empty());
        Self {
            protocol,
            is_old: AtomicBool::new(false),
            secrets: secret.map(str::to_owned).into_iter().collect(),
        }
    }

    /// Connects to a server, whatever its role, and loads the scripts there.
    pub(crate) async fn connect(&self, endpoint: &Arc<Endpoint>) -> Result<Link, BackendError> {
        let connected = async {
            let link = self.dial(endpoint).await?;
            let info = prepare(link.connection()).await?;
            Ok(link.informed(info.as_deref()))
        };
        connected
            .await
            .map_err(|error| failure::unconnected(&error, endpoint.address(), &self.secrets))
    }

    async fn dial(&self, endpoint: &Arc<Endpoint>) -> Result<Link, RedisError> {
        if self.protocol == Protocol::Resp2 || self.is_old.load(Ordering::Relaxed) {
            return endpoint.dial_resp2().await;
        }
        match endpoint.dial_resp3().await {
            Err(error) if self.protocol == Protocol::Auto && self.is_old_protocol(&error) => {
                self.is_old.store(true, Ordering::Relaxed);
                endpoint.dial_resp2().await
            }
            dialled => dialled,
        }
    }

    fn is_old_protocol(&self, error: &RedisError) -> bool {
        failure::is_old_protocol(error, !self.secrets.is_empty())
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login")
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

/// Asks which run of the server this is, and puts the scripts into its cache where they are missing, so that no verb has
/// to carry its text.
///
/// Asks for them first: the texts are 90 KB, and a server takes none of that size from a client that is not logged in, but
/// hangs up. A user who may not load scripts can still run them.
async fn prepare(mut connection: MultiplexedConnection) -> Result<Option<String>, RedisError> {
    let scripts = Script::all();
    let mut ask = redis::Pipeline::new();
    ask.cmd("INFO").arg("server");
    for some in scripts.chunks(Script::ASKED_AT_ONCE) {
        ask.cmd("SCRIPT").arg("EXISTS");
        for script in some {
            ask.arg(script.sha1());
        }
    }
    let answers = connection.send_packed_commands(&ask, 0, ask.len()).await?;
    let (info, lists) = answers.split_first().unwrap_or((&Value::Nil, &[]));
    let info = reply::info(info).map(Cow::into_owned);
    let mut known = Vec::new();
    for list in lists {
        match list {
            Value::Array(some) => known.extend(some.iter().cloned()),
            Value::ServerError(error) if error.code() == "NOAUTH" => return Err(error.clone().into()),
            _cannot_load_now => return Ok(info),
        }
    }
    let missing = scripts.iter().zip(known).filter(|(_, known)| *known == Value::Int(0));
    let mut load = redis::Pipeline::new();
    for (script, _) in missing {
        load.cmd("SCRIPT").arg("LOAD").arg(script.source());
    }
    if !load.is_empty() {
        connection.send_packed_commands(&load, 0, load.len()).await?;
    }
    Ok(info)
}
