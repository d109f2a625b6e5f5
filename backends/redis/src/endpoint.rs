//! One server: its address, and how to log in there.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::PubSub;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, ProtocolVersion, RedisError};

use crate::link::Link;
use crate::mailboxes::{Mailboxes, Tail};

/// Requests that may wait for the task that writes them; beyond that the callers wait.
const BUFFERED_REQUESTS: usize = 1024;
/// A connection without traffic is probed after this long, and then every third of it.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How long sent data may stay unacknowledged before the kernel gives the connection up.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// One server, and who logs in there.
pub(crate) struct Endpoint {
    resp2: Client,
    resp3: Client,
    address: String,
}

impl Endpoint {
    pub(crate) fn new(info: &ConnectionInfo) -> Self {
        Self {
            resp2: client(info, ProtocolVersion::RESP2),
            resp3: client(info, ProtocolVersion::RESP3),
            address: info.addr().to_string(),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Opens a connection on which messages arrive between the answers.
    pub(crate) async fn dial_resp3(self: &Arc<Self>) -> Result<Link, RedisError> {
        let mailboxes = Arc::new(Mailboxes::default());
        let config = config().set_push_sender(Tail::new(Arc::clone(&mailboxes)));
        let connection = self.resp3.get_multiplexed_async_connection_with_config(&config).await?;
        Ok(Link::with_push(Arc::clone(self), connection, mailboxes))
    }

    /// Opens a connection for commands only.
    pub(crate) async fn dial_resp2(self: &Arc<Self>) -> Result<Link, RedisError> {
        let connection = self
            .resp2
            .get_multiplexed_async_connection_with_config(&config())
            .await?;
        Ok(Link::without_push(Arc::clone(self), connection))
    }

    /// Opens a connection that only listens, for version 2 of the protocol.
    pub(crate) async fn dial_pubsub(&self) -> Result<PubSub, RedisError> {
        self.resp2.get_async_pubsub().await
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
pub(crate) fn tcp_settings(given: &TcpSettings) -> TcpSettings {
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

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let login = self.resp3.get_connection_info().redis_settings();
        f.debug_struct("Endpoint")
            .field("address", &format_args!("{}", self.address))
            .field("db", &login.db())
            .field("username", &login.username())
            .finish_non_exhaustive()
    }
}
