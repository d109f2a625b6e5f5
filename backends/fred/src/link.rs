//! A connection for commands, and those that listen beside it.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use fred::types::config::ServerConfig;
use semafence::{Inbox, ServerRun, Stall};

use crate::ear::Ear;
use crate::line::{End, Line};

/// A connection for commands. Once closed it takes no new requests, and its listeners end.
pub(crate) struct Link {
    line: Line,
    server: ServerConfig,
    /// The configuration epoch in which sentinels have named it, where they were asked.
    epoch: Option<u64>,
    address: String,
    run: ServerRun,
    closed: Arc<End>,
    stall: Stall,
    /// Opened by the first who listens to an inbox, gone with the last.
    pub(crate) ears: tokio::sync::Mutex<HashMap<Inbox, Weak<Ear>>>,
}

impl Link {
    pub(crate) fn new(
        line: Line,
        server: ServerConfig,
        epoch: Option<u64>,
        address: String,
        info: Option<&str>,
    ) -> Self {
        Self {
            line,
            server,
            epoch,
            run: ServerRun::new(address.as_str(), info),
            address,
            closed: Arc::default(),
            stall: Stall::default(),
            ears: tokio::sync::Mutex::default(),
        }
    }

    pub(crate) fn line(&self) -> &Line {
        &self.line
    }

    pub(crate) fn server(&self) -> &ServerConfig {
        &self.server
    }

    /// The run of the server that it leads to.
    pub(crate) fn run(&self) -> &ServerRun {
        &self.run
    }

    pub(crate) fn epoch(&self) -> Option<u64> {
        self.epoch
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Whether nothing can be sent any more. Says so of a connection that was lost, too, if its driver has noticed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_over() || self.line.end().is_over()
    }

    /// Takes no new requests; those under way may still be answered.
    pub(crate) fn close(&self) {
        self.closed.declare();
    }

    /// Takes no new requests, and gives up those under way.
    pub(crate) fn cut(&self) {
        self.closed.declare();
        self.line.end().declare();
    }

    /// The two ways in which it can be over: closed, and lost.
    pub(crate) fn ends(&self) -> [Arc<End>; 2] {
        [Arc::clone(&self.closed), Arc::clone(self.line.end())]
    }

    pub(crate) fn stall(&self) -> &Stall {
        &self.stall
    }
}
