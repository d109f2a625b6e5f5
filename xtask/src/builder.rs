//! What to start, and how.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tempfile::TempDir;

use crate::clock::{SetClock, Shown};
use crate::configuration::Configuration;
use crate::error::StartError;
use crate::location::Location;
use crate::login::Login;
use crate::port::Port;
use crate::scratch;
use crate::server::{Plan, Server};
use crate::servers::{self, Flavor};
use crate::tls::{Certificates, TlsListener};

/// What to start, and how.
#[derive(Clone, Debug)]
pub struct Builder {
    choice: Choice,
    args: Vec<String>,
    tls: Option<Tls>,
    clock: Option<Shown>,
    rewritable: bool,
    port: Option<u16>,
    location: Location,
    patience: Duration,
}

#[derive(Clone, Debug)]
enum Choice {
    Any,
    Flavor(Flavor),
    Binary(PathBuf),
}

#[derive(Clone, Debug)]
enum Tls {
    /// Under an authority of its own.
    Own,
    /// Under one that several servers share.
    Shared(Certificates),
}

impl Builder {
    /// A server of any flavor.
    #[must_use]
    pub fn any() -> Self {
        Self::new(Choice::Any)
    }

    /// A server of that flavor.
    #[must_use]
    pub fn flavor(flavor: Flavor) -> Self {
        Self::new(Choice::Flavor(flavor))
    }

    /// The server binary at that path.
    #[must_use]
    pub fn binary(path: impl Into<PathBuf>) -> Self {
        Self::new(Choice::Binary(path.into()))
    }

    fn new(choice: Choice) -> Self {
        Self {
            choice,
            args: Vec::new(),
            tls: None,
            clock: None,
            rewritable: false,
            port: None,
            location: Location::Loopback,
            patience: Duration::from_secs(10),
        }
    }

    /// Adds one word to the server's command line, after and thus over the defaults.
    ///
    /// The defaults are 127.0.0.1, no persistence, log level notice.
    /// After `--requirepass`, [`Server::command`] logs in by itself.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds several words to the server's command line.
    #[must_use]
    pub fn args<A: Into<String>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Also listens with TLS, under a certificate for localhost and 127.0.0.1 by an authority of its own.
    #[must_use]
    pub fn tls(mut self) -> Self {
        self.tls = Some(Tls::Own);
        self
    }

    pub(crate) fn tls_under(mut self, certificates: Certificates) -> Self {
        self.tls = Some(Tls::Shared(certificates));
        self
    }

    /// Passes all settings in a file, so that `CONFIG REWRITE` works and its result outlasts a restart.
    pub(crate) fn rewritable(mut self) -> Self {
        self.rewritable = true;
        self
    }

    /// Listens on that port, instead of one that is free.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    pub(crate) fn location(mut self, location: Location) -> Self {
        self.location = location;
        self
    }

    /// Stops the server's time of day at so many microseconds since the Unix epoch, to be moved by
    /// [`Server::set_clock_us`]. On Linux, with a C compiler, and for a server that is linked dynamically.
    #[must_use]
    pub fn clock_us(mut self, now_us: i64) -> Self {
        self.clock = Some(Shown::Still(now_us));
        self
    }

    /// Sets the server's time of day off by so many microseconds, forward or, negative, back, to be changed by
    /// [`Server::set_clock_offset_us`]. Where [`clock_us`](Self::clock_us) works.
    #[must_use]
    pub fn clock_offset_us(mut self, offset_us: i64) -> Self {
        self.clock = Some(Shown::Offset(offset_us));
        self
    }

    /// How long the server may take until it answers; 10 s unless set.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// [`StartError`]: there is no such server here, or it exits, or it stays silent; with the end of its log.
    pub fn start(self) -> Result<Server, StartError> {
        Server::carry_out(self.plan()?)
    }

    fn plan(self) -> Result<Plan, StartError> {
        let binary = self.binary_or_missing()?;
        let dir = if self.rewritable {
            scratch::dir("semafence-server-")?
        } else {
            TempDir::with_prefix("semafence-server-")?
        };
        let port = Port::given_or_picked(self.port)?;
        let tls = self.listener(dir.path())?;
        let clock = self.clock.map(SetClock::create);
        let mut args = command_line(&port, &self.location, dir.path(), tls.as_ref(), &self.args);
        let login = password(&self.args).map(Login::password);
        if self.rewritable {
            args = vec![Configuration::from_args(&args).write(dir.path())?];
        }
        Ok(Plan {
            binary,
            args,
            login,
            location: self.location,
            patience: self.patience,
            port,
            tls,
            clock: clock.transpose()?,
            dir,
        })
    }

    fn listener(&self, dir: &Path) -> io::Result<Option<TlsListener>> {
        let certificates = match &self.tls {
            None => return Ok(None),
            Some(Tls::Own) => Certificates::create(dir)?,
            Some(Tls::Shared(certificates)) => certificates.clone(),
        };
        Ok(Some(TlsListener::create(certificates)?))
    }

    /// Starts the server, or says on stderr that the calling test is skipped because there is none.
    ///
    /// # Panics
    /// If the server is there and does not start, or is missing and `SEMAFENCE_REQUIRE_SERVERS` insists.
    #[must_use]
    pub fn start_or_skip(self) -> Option<Server> {
        let flavor = self.wanted_flavor();
        started_or_skip(self.start(), flavor)
    }

    pub(crate) fn wanted_flavor(&self) -> Option<Flavor> {
        match self.choice {
            Choice::Flavor(flavor) => Some(flavor),
            Choice::Any | Choice::Binary(_) => None,
        }
    }

    /// The binary that [`start`](Self::start) would run.
    pub(crate) fn binary_or_missing(&self) -> Result<PathBuf, StartError> {
        self.find_binary().ok_or_else(|| StartError::Missing(self.wanted()))
    }

    fn find_binary(&self) -> Option<PathBuf> {
        match &self.choice {
            Choice::Any if self.tls.is_some() => servers::find_tls(),
            Choice::Any => servers::find_any(),
            Choice::Flavor(flavor) if self.tls.is_some() => servers::find_with_tls(*flavor),
            Choice::Flavor(flavor) => servers::find(*flavor),
            Choice::Binary(path) => Some(path.clone()),
        }
    }

    fn wanted(&self) -> String {
        let server = match &self.choice {
            Choice::Any => "Redis or Valkey".to_owned(),
            Choice::Flavor(flavor) => flavor.to_string(),
            Choice::Binary(path) => path.display().to_string(),
        };
        if self.tls.is_some() {
            format!("{server} with TLS")
        } else {
            server
        }
    }
}

/// What was started; or `None`, once stderr says that the calling test is skipped.
pub(crate) fn started_or_skip<S>(outcome: Result<S, StartError>, flavor: Option<Flavor>) -> Option<S> {
    match outcome {
        Ok(started) => Some(started),
        Err(StartError::Missing(wanted)) => {
            servers::skip(&wanted, flavor);
            None
        }
        Err(error @ StartError::NoNamespaces(_)) => {
            servers::skip_where_no_namespaces_are(&error);
            None
        }
        Err(error) => panic!("{error}"),
    }
}

fn command_line(
    port: &Port,
    location: &Location,
    dir: &Path,
    tls: Option<&TlsListener>,
    extra: &[String],
) -> Vec<String> {
    let address = location.address().to_string();
    let dir = dir.display().to_string();
    let port = port.number().to_string();
    let defaults = [
        ["--port", &port],
        ["--bind", &address],
        // Whoever reaches the address of a server here may use it.
        ["--protected-mode", "no"],
        ["--dir", &dir],
        ["--save", ""],
        ["--appendonly", "no"],
        ["--daemonize", "no"],
        ["--loglevel", "notice"],
    ];
    let defaults = defaults.into_iter().flatten().map(str::to_owned);
    let tls = tls.into_iter().flat_map(TlsListener::args);
    defaults.chain(tls).chain(extra.iter().cloned()).collect()
}

fn password(args: &[String]) -> Option<String> {
    let flag = args.iter().position(|arg| arg == "--requirepass")?;
    args.get(flag + 1).cloned()
}
