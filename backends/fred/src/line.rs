//! One connection of fred's: it is never replaced by itself, and what is sent on it is never sent again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fred::clients::Client;
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface};
use fred::socket2::TcpKeepalive;
use fred::types::config::{
    Config, ConnectionConfig, Options, PerformanceConfig, ServerConfig, TcpConfig, TlsConfig, UnresponsiveConfig,
};
use fred::types::{ClusterHash, CustomCommand, Resp3Frame, Value};
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};

/// A connection without traffic is probed after this long, and then every third of it.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// Messages that may wait for their reader; who falls behind further is told that it missed some.
const BUFFERED_MESSAGES: usize = 1024;

/// Whom to connect to, and as whom.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) server: ServerConfig,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) tls: Option<TlsConfig>,
}

/// One connection. When it is lost it is over: fred gets no reconnect policy, so that nothing waits in it for another
/// connection and is sent after its caller has been told of an error.
pub(crate) struct Line {
    client: Client,
    router: AbortHandle,
    end: Arc<End>,
}

/// Whether a connection is over.
#[derive(Debug, Default)]
pub(crate) struct End {
    is_over: AtomicBool,
    told: Notify,
}

impl Line {
    /// Connects and logs in.
    pub(crate) async fn dial(target: &Target, timeout: Duration, silence_max: Duration) -> Result<Self, Error> {
        let client = client(target, timeout, silence_max);
        // Listen before connecting, or a connection that is made at once is waited for in vain.
        let mut connected = client.reconnect_rx();
        let mut router = Dialling(client.connect());
        tokio::select! {
            biased;
            ended = &mut router.0 => return Err(error_of(ended)),
            _connected = connected.recv() => {}
        }
        let end = Arc::new(End::default());
        let abort = router.0.abort_handle();
        let tail = Tail(Arc::clone(&end));
        tokio::spawn(async move {
            let _tail = tail;
            let _how_does_not_matter = router.ended().await;
        });
        Ok(Self {
            client,
            router: abort,
            end,
        })
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn end(&self) -> &Arc<End> {
        &self.end
    }

    /// Sends one command, once. Given up after `timeout`, it is not sent any more if it has not been sent.
    pub(crate) async fn send(&self, command: Command, timeout: Duration) -> Result<Resp3Frame, Error> {
        if self.end.is_over() {
            return Err(Error::new_canceled());
        }
        // fred takes zero for no timeout at all.
        let options = Options {
            timeout: Some(timeout.max(Duration::from_millis(1))),
            max_attempts: Some(1),
            ..Options::default()
        };
        // `custom_raw` honours the options; `evalsha` drops them.
        let custom = CustomCommand::new_static(command.verb, ClusterHash::FirstKey, false);
        let client = self.client.with_options(&options);
        tokio::select! {
            biased;
            answer = client.custom_raw(custom, command.args) => answer,
            // fred keeps its queue when it ends, and lets wait what comes after that.
            () = self.end.wait() => Err(Error::new(ErrorKind::IO, "the connection has ended")),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // fred's task holds what it listens to, and would never end by itself.
        self.router.abort();
    }
}

impl End {
    pub(crate) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Acquire)
    }

    pub(crate) fn declare(&self) {
        self.is_over.store(true, Ordering::Release);
        self.told.notify_waiters();
    }

    /// Completes once the connection is over.
    pub(crate) async fn wait(&self) {
        let told = self.told.notified();
        tokio::pin!(told);
        // Enabled before looking, or an end between looking and waiting is missed.
        told.as_mut().enable();
        if !self.is_over() {
            told.await;
        }
    }
}

/// Kept by the task that waits for fred's, and dropped with it: by an end of the connection or of the runtime.
struct Tail(Arc<End>);

impl Drop for Tail {
    fn drop(&mut self) {
        self.0.declare();
    }
}

/// fred's task while it connects: given up, it must not go on by itself.
struct Dialling(JoinHandle<Result<(), Error>>);

impl Dialling {
    async fn ended(mut self) -> Result<Result<(), Error>, tokio::task::JoinError> {
        (&mut self.0).await
    }
}

impl Drop for Dialling {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn error_of(ended: Result<Result<(), Error>, tokio::task::JoinError>) -> Error {
    match ended {
        Ok(Err(error)) => error,
        Ok(Ok(())) | Err(_) => Error::new(ErrorKind::Canceled, "connecting was interrupted"),
    }
}

fn client(target: &Target, timeout: Duration, silence_max: Duration) -> Client {
    let config = Config {
        fail_fast: true,
        username: target.username.clone(),
        password: target.password.clone(),
        server: target.server.clone(),
        tls: target.tls.clone(),
        ..Config::default()
    };
    let performance = PerformanceConfig {
        // Every command has a timeout of its own; this is for those that fred sends by itself.
        default_command_timeout: timeout,
        broadcast_channel_capacity: BUFFERED_MESSAGES,
        ..PerformanceConfig::default()
    };
    let connection = ConnectionConfig {
        connection_timeout: timeout,
        internal_command_timeout: timeout,
        // fred sends a command again when its connection is lost, and answers as if it had been sent once.
        max_command_attempts: 1,
        max_redirections: 0,
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(silence_max),
            interval: (silence_max / 4).max(Duration::from_millis(5)),
        },
        tcp: TcpConfig {
            nodelay: Some(true),
            keepalive: Some(TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3)),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    };
    let no_reconnect_policy = None;
    Client::new(config, Some(performance), Some(connection), no_reconnect_policy)
}

/// A command, with its arguments as fred takes them.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    verb: &'static str,
    args: Vec<Value>,
}

impl Command {
    pub(crate) fn new(verb: &'static str) -> Self {
        Self { verb, args: Vec::new() }
    }

    pub(crate) fn arg(mut self, arg: impl Into<Value>) -> Self {
        self.args.push(arg.into());
        self
    }
}
