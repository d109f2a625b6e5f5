//! Makes connections.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, ProtocolVersion, RedisError, Value};
use semafence::BackendError;
use semafence::script::Script;
use tokio::time::timeout;

use crate::failure;
use crate::link::Link;
use crate::mailboxes::{Mailboxes, Tail};
use crate::options::Protocol;

/// Requests that may wait for the task that writes them; beyond that the callers wait.
const BUFFERED_REQUESTS: usize = 1024;
/// A connection without traffic is probed after this long, and then every third of it.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long sent data may stay unacknowledged before the kernel gives the connection up.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// Everything needed to make a connection, checked.
pub(crate) struct Connector {
    resp2: Client,
    resp3: Client,
    protocol: Protocol,
    /// The server did not know version 3 when it was asked.
    is_old: AtomicBool,
    address: String,
    secrets: Vec<String>,
    connect_timeout: Duration,
    response_timeout: Duration,
}

impl Connector {
    pub(crate) fn new(
        info: ConnectionInfo,
        protocol: Protocol,
        connect_timeout: Duration,
        response_timeout: Duration,
    ) -> Self {
        let address = info.addr().to_string();
        let secret = info.redis_settings().password().filter(|secret| !secret.is_empty());
        Self {
            resp2: client(&info, ProtocolVersion::RESP2),
            resp3: client(&info, ProtocolVersion::RESP3),
            protocol,
            is_old: AtomicBool::new(false),
            secrets: secret.map(str::to_owned).into_iter().collect(),
            address,
            connect_timeout,
            response_timeout,
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
    }

    pub(crate) fn response_timeout(&self) -> Duration {
        self.response_timeout
    }

    /// Connects, logs in, and loads the scripts.
    pub(crate) async fn connect(&self) -> Result<Link, BackendError> {
        self.within_timeout(async {
            let link = self.dial().await?;
            load_scripts(link.connection()).await?;
            Ok(link)
        })
        .await
    }

    /// Opens a connection that only listens, for version 2 of the protocol.
    pub(crate) async fn connect_pubsub(&self) -> Result<PubSub, BackendError> {
        self.within_timeout(self.resp2.get_async_pubsub()).await
    }

    async fn within_timeout<T>(
        &self,
        connecting: impl Future<Output = Result<T, RedisError>>,
    ) -> Result<T, BackendError> {
        match timeout(self.connect_timeout, connecting).await {
            Ok(Ok(connected)) => Ok(connected),
            Ok(Err(error)) => Err(failure::unconnected(&error, &self.address, &self.secrets)),
            Err(_elapsed) => Err(failure::late(&self.address, self.connect_timeout)),
        }
    }

    async fn dial(&self) -> Result<Link, RedisError> {
        if self.protocol == Protocol::Resp2 || self.is_old.load(Ordering::Relaxed) {
            return self.dial_resp2().await;
        }
        match self.dial_resp3().await {
            Err(error) if self.protocol == Protocol::Auto && self.is_old_protocol(&error) => {
                self.is_old.store(true, Ordering::Relaxed);
                self.dial_resp2().await
            }
            dialled => dialled,
        }
    }

    fn is_old_protocol(&self, error: &RedisError) -> bool {
        failure::is_old_protocol(error, !self.secrets.is_empty())
    }

    async fn dial_resp3(&self) -> Result<Link, RedisError> {
        let mailboxes = Arc::new(Mailboxes::default());
        let config = config().set_push_sender(Tail::new(Arc::clone(&mailboxes)));
        let connection = self.resp3.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Link::with_push(connection, mailboxes))
    }

    async fn dial_resp2(&self) -> Result<Link, RedisError> {
        let connection = self
            .resp2
            .get_multiplexed_async_connection_with_config(&config())
            .await?;
        Ok(Link::without_push(connection))
    }
}

fn client(info: &ConnectionInfo, protocol: ProtocolVersion) -> Client {
    let login = info
        .redis_settings()
        .clone()
        .set_protocol(protocol)
        .set_lib_name("semafence", env!("CARGO_PKG_VERSION"));
    let info = info
        .clone()
        .set_redis_settings(login)
        .set_tcp_settings(tcp_settings(info.tcp_settings()));
    Client::open(info).expect("connection info needs no parsing")
}

/// The lane's own timeouts count, so the driver gets none.
fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(BUFFERED_REQUESTS)
}

/// What the user's own client has set stays; without keepalive a listener would never notice a host that is gone.
fn tcp_settings(given: &TcpSettings) -> TcpSettings {
    let settings = given.clone().set_nodelay(true);
    if settings.keepalive().is_some() {
        return settings;
    }
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3);
    with_user_timeout(settings.set_keepalive(keepalive))
}

#[cfg(any(target_os = "android", target_os = "fuchsia", target_os = "linux"))]
fn with_user_timeout(settings: TcpSettings) -> TcpSettings {
    match settings.user_timeout() {
        Some(_) => settings,
        None => settings.set_user_timeout(UNACKNOWLEDGED_MAX),
    }
}

#[cfg(not(any(target_os = "android", target_os = "fuchsia", target_os = "linux")))]
fn with_user_timeout(settings: TcpSettings) -> TcpSettings {
    settings
}

/// Puts the scripts into the server's cache where they are missing, so that no verb has to carry its text.
///
/// Asks first: the texts are 90 KB, and a server takes none of that size from a client that is not logged in, but
/// hangs up. A user who may not load scripts can still run them.
async fn load_scripts(mut connection: MultiplexedConnection) -> Result<(), RedisError> {
    let scripts = Script::all();
    let mut ask = redis::cmd("SCRIPT");
    ask.arg("EXISTS");
    for script in scripts {
        ask.arg(script.sha1());
    }
    let known = match connection.send_packed_command(&ask).await? {
        Value::Array(known) => known,
        Value::ServerError(error) if error.code() == "NOAUTH" => return Err(error.into()),
        _cannot_load_now => return Ok(()),
    };
    let missing = scripts.iter().zip(known).filter(|(_, known)| *known == Value::Int(0));
    let mut load = redis::Pipeline::new();
    for (script, _) in missing {
        load.cmd("SCRIPT").arg("LOAD").arg(script.source());
    }
    if !load.is_empty() {
        connection.send_packed_commands(&load, 0, load.len()).await?;
    }
    Ok(())
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = self.resp3.get_connection_info().redis_settings();
        f.debug_struct("Connector")
            .field("address", &format_args!("{}", self.address))
            .field("db", &login.db())
            .field("username", &login.username())
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}
