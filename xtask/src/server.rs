//! A real server for one test: started on a free port, broken on purpose, and gone afterwards.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::builder::Builder;
use crate::clock::{SetClock, Shown};
use crate::error::StartError;
use crate::location::Location;
use crate::login::Login;
use crate::port::Port;
use crate::process;
use crate::resp::{Connection, Reply};
use crate::servers::Flavor;
use crate::tls::TlsListener;

/// How long one command may take before the server counts as unreachable.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
const LOG_FILE: &str = "server.log";
const LOG_TAIL_LINES: usize = 20;

/// A server process of this test alone; dropping it kills the process and removes its directory.
///
/// Where `setpriv` exists (Linux), the kernel also kills it when the test process dies.
/// All methods take `&self`, so a server can be shared between tasks and broken while they use it.
#[derive(Debug)]
pub struct Server {
    plan: Plan,
    running: Mutex<Running>,
}

/// All that is settled before the first start and stays over restarts.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) binary: PathBuf,
    pub(crate) args: Vec<String>,
    pub(crate) login: Option<Login>,
    pub(crate) location: Location,
    pub(crate) patience: Duration,
    pub(crate) port: Port,
    pub(crate) tls: Option<TlsListener>,
    pub(crate) clock: Option<SetClock>,
    pub(crate) dir: TempDir,
}

#[derive(Debug, Default)]
struct Running {
    child: Option<Child>,
    connection: Option<Connection>,
}

impl Server {
    /// Starts a server of that flavor with the defaults.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start(flavor: Flavor) -> Result<Self, StartError> {
        Self::builder(flavor).start()
    }

    /// Starts any server with the defaults: `SEMAFENCE_REDIS_BIN`, one from `PATH`, or an installed one.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn start_any() -> Result<Self, StartError> {
        Builder::any().start()
    }

    /// Starts a server of that flavor with settings.
    #[must_use]
    pub fn builder(flavor: Flavor) -> Builder {
        Builder::flavor(flavor)
    }

    pub(crate) fn carry_out(plan: Plan) -> Result<Self, StartError> {
        let server = Self {
            plan,
            running: Mutex::default(),
        };
        server.launch(&[])?;
        Ok(server)
    }

    /// The port without TLS, the same for as long as this value lives.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.plan.port.number()
    }

    /// `redis://127.0.0.1:PORT/`, without any password; of a server in a namespace of its own with its address there.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}:{}/", self.plan.location.address(), self.port())
    }

    /// `rediss://127.0.0.1:PORT/`.
    ///
    /// # Panics
    /// Unless started with [`Builder::tls`].
    #[must_use]
    pub fn tls_url(&self) -> String {
        format!("rediss://127.0.0.1:{}/", self.tls_listener().port.number())
    }

    /// The authority to trust for [`tls_url`](Self::tls_url), as PEM.
    ///
    /// # Panics
    /// Unless started with [`Builder::tls`].
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.tls_listener().certificates.ca_pem
    }

    pub(crate) fn location(&self) -> &Location {
        &self.plan.location
    }

    /// The port under which replicas and sentinels know it: with TLS, if it has that.
    pub(crate) fn announced_port(&self) -> u16 {
        let tls = self.plan.tls.as_ref();
        tls.map_or(self.port(), |listener| listener.port.number())
    }

    fn tls_listener(&self) -> &TlsListener {
        self.plan
            .tls
            .as_ref()
            .expect("the server was started with Builder::tls")
    }

    /// The program that runs.
    #[must_use]
    pub fn binary(&self) -> &Path {
        &self.plan.binary
    }

    /// The server's working directory: its log, its persistence files, its certificates.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.plan.dir.path()
    }

    /// The process id.
    ///
    /// # Panics
    /// If the server was killed and not restarted.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running().child.as_ref().expect("the server runs").id()
    }

    /// Sends one command over a connection kept for this purpose, and returns the reply, also an error reply.
    ///
    /// The connection counts among the server's clients, and its commands count in `INFO commandstats`.
    ///
    /// # Panics
    /// If the server does not answer within 10 s; the message ends with its log.
    pub fn command<A: AsRef<[u8]>>(&self, args: &[A]) -> Reply {
        self.try_command(args).unwrap_or_else(|error| {
            let name = args
                .first()
                .map(|name| String::from_utf8_lossy(name.as_ref()).into_owned());
            panic!("{} failed: {error}\n{}", name.unwrap_or_default(), self.log_tail())
        })
    }

    /// Sends one command as [`command`](Self::command) does, to a server that may be down.
    ///
    /// # Errors
    /// When the server does not answer within 10 s; the next call connects anew.
    pub fn try_command<A: AsRef<[u8]>>(&self, args: &[A]) -> io::Result<Reply> {
        let kept = self.running().connection.take();
        let kept = kept.filter(|connection| !connection.is_closed());
        let mut connection = kept.map_or_else(|| self.connect(COMMAND_TIMEOUT), Ok)?;
        let reply = connection.command(args)?;
        self.running().connection = Some(connection);
        Ok(reply)
    }

    /// Opens a connection of the caller's own, logged in if `--requirepass` was given.
    ///
    /// # Errors
    /// When the server does not answer within `timeout`, which also bounds each later read.
    pub fn connect(&self, timeout: Duration) -> io::Result<Connection> {
        let stream = self.plan.location.dial(self.port(), timeout)?;
        let mut connection = Connection::over(stream, timeout)?;
        if let Some(login) = &self.plan.login {
            connection.command(&login.auth())?;
        }
        Ok(connection)
    }

    /// The fields of one section of `INFO`.
    ///
    /// # Panics
    /// As [`command`](Self::command).
    pub fn info(&self, section: &str) -> BTreeMap<String, String> {
        let text = self.command(&["INFO", section]).text();
        let fields = text.lines().filter_map(|line| line.split_once(':'));
        fields
            .map(|(field, value)| (field.to_owned(), value.to_owned()))
            .collect()
    }

    /// How often each command was called since the start or `CONFIG RESETSTAT`, by `INFO commandstats`.
    ///
    /// # Panics
    /// As [`command`](Self::command).
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let calls = |stat: &str| stat.strip_prefix("calls=")?.split(',').next()?.parse().ok();
        let stats = self.info("commandstats");
        let named = stats
            .iter()
            .filter_map(|(field, stat)| Some((field.strip_prefix("cmdstat_")?.to_owned(), calls(stat)?)));
        named.collect()
    }

    /// Moves the server's time of day, forward or back: microseconds since the Unix epoch. It stands still until the
    /// next call.
    ///
    /// # Panics
    /// Unless started with [`Builder::clock_us`].
    pub fn set_clock_us(&self, now_us: i64) {
        let clock = self.plan.clock.as_ref();
        let clock = clock.expect("the server was started with Builder::clock_us");
        clock.show(Shown::Still(now_us)).expect("the clock stands still");
    }

    /// Sets the server's time of day off by so many microseconds, forward or, negative, back.
    ///
    /// # Panics
    /// Unless started with [`Builder::clock_offset_us`].
    pub fn set_clock_offset_us(&self, offset_us: i64) {
        let clock = self.plan.clock.as_ref();
        let clock = clock.expect("the server was started with Builder::clock_offset_us");
        clock.show(Shown::Offset(offset_us)).expect("the clock runs");
    }

    /// Suspends the process (SIGSTOP): connections stay open, nothing is answered.
    pub fn stop(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets a suspended process go on (SIGCONT).
    pub fn cont(&self) {
        self.signal(Signal::CONT);
    }

    /// Kills the process (SIGKILL) and waits for its end; does nothing if it is gone already.
    pub fn kill(&self) {
        let mut running = self.running();
        running.connection = None;
        if let Some(mut child) = running.child.take() {
            // SIGKILL also ends a suspended process.
            let _already_dead_is_fine = child.kill();
            let _already_reaped_is_fine = child.wait();
        }
    }

    /// Kills the process if it runs, and starts it again on the same port, in the same directory.
    ///
    /// # Errors
    /// As [`Builder::start`].
    pub fn restart(&self) -> Result<(), StartError> {
        self.restart_with(&[])
    }

    /// As [`restart`](Self::restart), with more words on the command line this time.
    pub(crate) fn restart_with(&self, args: &[&str]) -> Result<(), StartError> {
        self.kill();
        self.launch(args)
    }

    /// The last lines that the server logged, over all its starts.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let log = fs::read(self.dir().join(LOG_FILE)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines = log.lines().collect::<Vec<_>>();
        lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n")
    }

    fn signal(&self, signal: Signal) {
        // The lock is held meanwhile: a child that nobody waited for keeps its process id to itself.
        let running = self.running();
        let pid = running.child.as_ref().map(Pid::from_child).expect("the server runs");
        kill_process(pid, signal).expect("a child that was not waited for can be signalled");
    }

    fn launch(&self, args: &[&str]) -> Result<(), StartError> {
        let mut command = self.server_command()?;
        command.args(args);
        let child = self.plan.location.spawn(command)?;
        self.running().child = Some(child);
        self.wait_until_ready().inspect_err(|_| self.kill())
    }

    fn server_command(&self) -> io::Result<Command> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.dir().join(LOG_FILE))?;
        let mut command = process::dies_with_us(&self.plan.binary);
        command
            .args(&self.plan.args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        if let Some(clock) = &self.plan.clock {
            clock.show_to(&mut command);
        }
        Ok(command)
    }

    fn wait_until_ready(&self) -> Result<(), StartError> {
        let started = Instant::now();
        while started.elapsed() < self.plan.patience {
            if let Some(status) = self.exit_status()? {
                return Err(StartError::Exited {
                    status,
                    log: self.log_tail(),
                    binary: self.plan.binary.clone(),
                });
            }
            if self.answers() {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(2));
        }
        Err(StartError::Silent {
            patience: self.plan.patience,
            log: self.log_tail(),
            binary: self.plan.binary.clone(),
        })
    }

    fn exit_status(&self) -> io::Result<Option<ExitStatus>> {
        match &mut self.running().child {
            Some(child) => child.try_wait(),
            None => Ok(None),
        }
    }

    /// Any reply but LOADING: a server that asks for a password is up.
    fn answers(&self) -> bool {
        let ping = self
            .connect(Duration::from_secs(1))
            .and_then(|mut connection| connection.command(&["PING"]));
        ping.is_ok_and(|reply| !reply.text().starts_with("LOADING"))
    }

    fn running(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "log of {} on port {}:\n{}",
                self.plan.binary.display(),
                self.port(),
                self.log_tail()
            );
        }
        self.kill();
    }
}
