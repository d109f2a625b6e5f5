//! Makes connections.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fred::types::Resp3Frame;
use fred::types::config::{ServerConfig, TlsConfig};
use futures::future::join_all;
use semafence::BackendError;
use semafence::script::Script;
use tokio::time::timeout;

use crate::ear::Ear;
use crate::failure;
use crate::line::{Command, Line, Target};
use crate::link::Link;
use crate::reply;
use crate::sentinels::Sentinels;

/// Everything needed to make a connection, checked.
pub(crate) struct Connector {
    pub(crate) place: Place,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<String>,
    pub(crate) db: u32,
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) connect_timeout: Duration,
    pub(crate) response_timeout: Duration,
}

/// Where the server is.
pub(crate) enum Place {
    Server(ServerConfig),
    Sentinels(Arc<Sentinels>),
}

impl Connector {
    /// The server, or the sentinels that know where it is.
    pub(crate) fn address(&self) -> String {
        match &self.place {
            Place::Server(server) => address_of(server),
            Place::Sentinels(sentinels) => sentinels.to_string(),
        }
    }

    pub(crate) fn sentinels(&self) -> Option<&Arc<Sentinels>> {
        match &self.place {
            Place::Server(_) => None,
            Place::Sentinels(sentinels) => Some(sentinels),
        }
    }

    /// Connects, logs in, and loads the scripts: at a server of which Sentinel has just told, or where the server is.
    pub(crate) async fn connect(&self, told: Option<ServerConfig>) -> Result<Link, BackendError> {
        match timeout(self.connect_timeout, self.dial(told)).await {
            Ok(dialled) => dialled,
            Err(_elapsed) => Err(failure::late(&self.address(), self.connect_timeout, None)),
        }
    }

    async fn dial(&self, told: Option<ServerConfig>) -> Result<Link, BackendError> {
        let (server, epoch) = match (&self.place, told) {
            (Place::Server(server), _) => (server.clone(), None),
            (Place::Sentinels(_), Some(server)) => (server, None),
            (Place::Sentinels(sentinels), None) => {
                let opinion = sentinels.master(self.connect_timeout).await?;
                (opinion.master, Some(opinion.epoch))
            }
        };
        let address = address_of(&server);
        let line = self.dial_line(server.clone()).await?;
        if self.db != 0 {
            self.ask(&line, &address, Command::new("SELECT").arg(i64::from(self.db)))
                .await?;
        }
        if self.sentinels().is_some() {
            self.check_role(&line, &address).await?;
        }
        let (info, loaded) = tokio::join!(self.info(&line), self.load_scripts(&line, &address));
        loaded?;
        self.introduce(&line).await;
        Ok(Link::new(line, server, epoch, address, info.as_deref()))
    }

    /// Opens a connection that only listens, beside one that carries commands.
    pub(crate) async fn connect_ear(&self, link: &Link) -> Result<Ear, BackendError> {
        let dialled = timeout(self.connect_timeout, self.dial_line(link.server().clone())).await;
        let line = dialled.map_err(|_elapsed| failure::late(link.address(), self.connect_timeout, None))??;
        Ok(Ear::new(line, link.ends()))
    }

    async fn dial_line(&self, server: ServerConfig) -> Result<Line, BackendError> {
        let address = address_of(&server);
        let target = Target {
            server,
            username: self.username.clone(),
            password: self.password.clone(),
            tls: self.tls.clone(),
        };
        Line::dial(&target, self.connect_timeout, self.response_timeout * 2)
            .await
            .map_err(|error| failure::unconnected(&error, &address, self.password.as_slice()))
    }

    /// Asks something before the connection is used; an error is one of connecting.
    async fn ask(&self, line: &Line, address: &str, command: Command) -> Result<Resp3Frame, BackendError> {
        let answer = self.hear(line, address, command).await?;
        match reply::error(&answer).map(failure::replied) {
            None => Ok(answer),
            Some(error) => Err(failure::rejected(&error, address)),
        }
    }

    /// As [`ask`](Self::ask), but an error reply is an answer.
    async fn hear(&self, line: &Line, address: &str, command: Command) -> Result<Resp3Frame, BackendError> {
        line.send(command, self.connect_timeout)
            .await
            .map_err(|error| failure::unconnected(&error, address, self.password.as_slice()))
    }

    /// A sentinel may name a master that has been demoted, or one that is not promoted yet.
    async fn check_role(&self, line: &Line, address: &str) -> Result<(), BackendError> {
        let answer = self.hear(line, address, Command::new("ROLE")).await?;
        match role(&answer) {
            // Who may not ask is told by READONLY, when it writes.
            None | Some("master") => Ok(()),
            Some(role) => Err(failure::no_master(address, role)),
        }
    }

    /// What the server tells of itself; one that does not is known by its address.
    async fn info(&self, line: &Line) -> Option<String> {
        let question = Command::new("INFO").arg("server");
        let answer = line.send(question, self.connect_timeout).await.ok()?;
        reply::info(&answer).map(str::to_owned)
    }

    /// Puts the scripts into the server's cache where they are missing, so that no verb has to carry its text.
    ///
    /// Asks first: the texts are 90 KB, and a server takes none of that size from a client that is not logged in, but
    /// hangs up. A user who may not load scripts can still run them.
    async fn load_scripts(&self, line: &Line, address: &str) -> Result<(), BackendError> {
        let scripts = Script::all();
        let asked = scripts.chunks(Script::ASKED_AT_ONCE).map(|some| {
            let exists = Command::new("SCRIPT").arg("EXISTS");
            let exists = some.iter().fold(exists, |ask, script| ask.arg(script.sha1()));
            self.hear(line, address, exists)
        });
        let mut known = Vec::new();
        for list in join_all(asked).await {
            match list? {
                Resp3Frame::Array { data, .. } => known.extend(data),
                other if reply::error(&other).is_some_and(|text| text.starts_with("NOAUTH")) => {
                    let error = failure::replied(reply::error(&other).unwrap_or_default());
                    return Err(failure::rejected(&error, address));
                }
                _cannot_load_now => return Ok(()),
            }
        }
        let missing = scripts
            .iter()
            .zip(known)
            .filter(|(_, known)| matches!(known, Resp3Frame::Number { data: 0, .. }));
        let loads = missing.map(|(script, _)| {
            let load = Command::new("SCRIPT").arg("LOAD").arg(script.source());
            line.send(load, self.connect_timeout)
        });
        for loaded in join_all(loads).await {
            loaded.map_err(|error| failure::unconnected(&error, address, self.password.as_slice()))?;
        }
        Ok(())
    }

    /// Tells operators who is connected. Servers before 7.2 do not want to know.
    async fn introduce(&self, line: &Line) {
        let facts = [("LIB-NAME", "semafence-fred"), ("LIB-VER", env!("CARGO_PKG_VERSION"))];
        let told = facts.map(|(key, value)| {
            let tell = Command::new("CLIENT").arg("SETINFO").arg(key).arg(value);
            line.send(tell, self.connect_timeout)
        });
        let _nobody_depends_on_it = join_all(told).await;
    }
}

fn role(answer: &Resp3Frame) -> Option<&str> {
    match answer {
        Resp3Frame::Array { data, .. } => match data.first()? {
            Resp3Frame::BlobString { data, .. } => std::str::from_utf8(data).ok(),
            _ => None,
        },
        _ => None,
    }
}

pub(crate) fn address_of(server: &ServerConfig) -> String {
    match server {
        ServerConfig::Unix { path } => path.display().to_string(),
        other => other.hosts().first().map(ToString::to_string).unwrap_or_default(),
    }
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector")
            .field("address", &format_args!("{}", self.address()))
            .field("db", &self.db)
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}
