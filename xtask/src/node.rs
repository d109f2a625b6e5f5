//! One server or sentinel that a test can break.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use crate::error::StartError;
use crate::resp::{Connection, Reply};
use crate::server::Server;

/// How long one question may take; a node that is stopped costs that much.
const PATIENCE: Duration = Duration::from_millis(500);

/// One server or sentinel that a test can break: a process or a container.
pub trait Node: fmt::Debug + Send + Sync {
    /// Where the others and clients find it, as sentinels announce it.
    fn address(&self) -> SocketAddr;

    /// Opens a connection without TLS, logged in where it asks for a password; also to a node that is cut off.
    ///
    /// # Errors
    /// When it does not answer within `timeout`, which also bounds each later read.
    fn connect(&self, timeout: Duration) -> io::Result<Connection>;

    /// Ends it at once (SIGKILL); its memory is lost. Does nothing if it is gone already.
    fn kill(&self);

    /// Starts it again at the same address, with the configuration it had: a master that was killed comes back as
    /// master, and stays that for 8 s or longer, until Sentinel has made up its mind.
    ///
    /// # Errors
    /// [`StartError`], when it does not come up.
    fn restart(&self) -> Result<(), StartError>;

    /// Starts it again as a replica, from its first moment on.
    ///
    /// # Errors
    /// [`StartError`], when it does not come up.
    fn restart_as_replica_of(&self, master: SocketAddr) -> Result<(), StartError>;

    /// Suspends it: connections stay open, nothing is answered.
    fn stop(&self);

    /// Lets it go on.
    fn cont(&self);

    /// The last lines that it logged.
    fn log_tail(&self) -> String;

    /// Sends one command over a connection of its own, and returns the reply, also an error reply.
    ///
    /// # Errors
    /// When there is no answer within half a second.
    fn ask(&self, args: &[&str]) -> io::Result<Reply> {
        self.connect(PATIENCE)?.command(args)
    }
}

impl Node for Server {
    fn address(&self) -> SocketAddr {
        SocketAddr::from((self.location().address(), self.announced_port()))
    }

    fn connect(&self, timeout: Duration) -> io::Result<Connection> {
        self.connect(timeout)
    }

    fn kill(&self) {
        self.kill();
    }

    fn restart(&self) -> Result<(), StartError> {
        self.restart()
    }

    fn restart_as_replica_of(&self, master: SocketAddr) -> Result<(), StartError> {
        let (ip, port) = (master.ip().to_string(), master.port().to_string());
        self.restart_with(&["--replicaof", &ip, &port])
    }

    fn stop(&self) {
        self.stop();
    }

    fn cont(&self) {
        self.cont();
    }

    fn log_tail(&self) -> String {
        self.log_tail()
    }
}
