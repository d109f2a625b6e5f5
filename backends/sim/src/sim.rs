//! The simulation: one world with one server and any number of client processes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use semafence::{ClientBuilder, Error, KeeperMode, LockBackend, Quorum};

use crate::Client;
use crate::backend::SimBackend;
use crate::clock::SimClock;
use crate::deployment::Deployment;
use crate::driver::Shared;
use crate::history::Recorder;
use crate::marks::Marks;
use crate::network::Faults;
use crate::process::Process;
use crate::random::draw;
use crate::scripts::ScriptEdit;
use crate::server::Server;
use crate::site::Site;
use crate::world::World;

/// A world with one simulated server.
///
/// World time is that of the tokio runtime: on a runtime whose clock is paused it is virtual, and an hour of leases
/// passes in milliseconds; on any other it runs as usual.
///
/// # Examples
///
/// What becomes of a program whose lease is lost: here its process is cut off for longer than the lease lasts.
///
/// ```
/// use std::time::Duration;
///
/// semafence_sim::run(7, |sim| async move {
///     let client = sim.client();
///     let printers = client.semaphore("printers", 3).ttl(Duration::from_secs(15)).build()?;
///     let permit = printers.acquire().await?;
///
///     client.backend().process().partition();
///     permit.lost().await;
///
///     assert!(!permit.is_held());
///     assert!(sim.now() < Duration::from_secs(15), "told before anybody else can have it");
///     Ok::<(), semafence::Error>(())
/// })?;
/// # Ok::<(), semafence::Error>(())
/// ```
#[derive(Clone)]
pub struct Sim {
    shared: Arc<Shared>,
    seed: u64,
}

impl Sim {
    /// Makes a world. The same seed gives the same latencies, clocks and replication ids.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with a timer.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_deployments(seed, 1, 0)
    }

    /// Makes a world with several independent deployments, each a master with so many replicas.
    ///
    /// # Panics
    ///
    /// Without any deployment, and outside of a tokio runtime with a timer.
    #[must_use]
    pub fn with_deployments(seed: u64, deployments: u32, replicas: u32) -> Self {
        assert!(deployments > 0, "a world needs a deployment");
        let sites = (0..deployments).map(|site| Site::new(seed, site, replicas));
        Self {
            shared: Shared::start(World::new(seed, sites.collect())),
            seed,
        }
    }

    /// The seed.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Time since the world began.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.shared.now()
    }

    /// A new client process with all defaults; its backend's [`process`](SimBackend::process) has its faults.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client_builder()
            .build()
            .expect("a keeper that is a task always starts")
    }

    /// Starts a client in a new process: with its clock, a keeper that is a task, and ids that follow from the seed.
    pub fn client_builder(&self) -> ClientBuilder<SimBackend, SimClock> {
        self.client_of(&self.process())
    }

    /// Starts a client in a process that there is.
    pub(crate) fn client_of(&self, process: &Process) -> ClientBuilder<SimBackend, SimClock> {
        self.client_over(self.backend_of(process, 0), process)
    }

    /// Starts a client of a backend in a process that there is.
    pub(crate) fn client_over<B: LockBackend>(&self, backend: B, process: &Process) -> ClientBuilder<B, SimClock> {
        let builder = semafence::Client::builder(backend)
            .clock(process.clock().clone())
            .keeper(KeeperMode::Task);
        builder.seed(draw(self.seed, &[0x1d5, u64::from(process.number())]))
    }

    /// The backend of a new client process, for those who work without a client.
    #[must_use]
    pub fn backend(&self) -> SimBackend {
        self.backend_of(&self.process(), 0)
    }

    /// A new client process.
    #[must_use]
    pub fn process(&self) -> Process {
        Process::new(Arc::clone(&self.shared), self.seed)
    }

    /// A new client process with a number that does not depend on how many there were before.
    pub(crate) fn process_numbered(&self, number: u32) -> Process {
        Process::numbered(Arc::clone(&self.shared), self.seed, number)
    }

    /// Whether the trace is kept; most runs of many never look at it.
    pub(crate) fn keep_trace(&self, kept: bool) {
        self.shared.with(|world| world.trace.kept = kept);
    }

    /// The way of a process to one of the deployments.
    ///
    /// # Panics
    ///
    /// When there is no such deployment.
    #[must_use]
    pub fn backend_of(&self, process: &Process, deployment: u32) -> SimBackend {
        let count = self.shared.with(|world| world.sites.len());
        assert!((deployment as usize) < count, "there is no deployment {deployment}");
        SimBackend::new(process.clone(), deployment)
    }

    /// A quorum of all deployments, as one process sees it.
    ///
    /// # Errors
    ///
    /// [`Error::Config`](semafence::Error::Config) unless there is an odd number of them, at most nine.
    pub fn quorum_of(&self, process: &Process) -> Result<Quorum<SimBackend>, Error> {
        let count = self.shared.with(|world| world.sites.len());
        let sites = 0..u32::try_from(count).expect("sites are few");
        let nodes = sites.map(|site| (format!("site {site}"), self.backend_of(process, site)));
        Ok(Quorum::named(nodes)?.clock(process.clock().clone()))
    }

    /// One of the deployments, from 0.
    ///
    /// # Panics
    ///
    /// When there is no such deployment.
    #[must_use]
    pub fn deployment(&self, deployment: u32) -> Deployment {
        let count = self.shared.with(|world| world.sites.len());
        assert!((deployment as usize) < count, "there is no deployment {deployment}");
        Deployment::new(Arc::clone(&self.shared), deployment)
    }

    /// A clock that shows world time, which belongs to no process and is never paused.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        SimClock::new(self.shared.start, Duration::ZERO)
    }

    /// The server that is the master now; of several deployments, that of the first.
    #[must_use]
    pub fn server(&self) -> Server {
        self.deployment(0).master()
    }

    /// Runs edited scripts instead of those that ship, on every server and from now on.
    pub fn edit_scripts(&self, edit: ScriptEdit) {
        self.shared.with(|world| world.scripts.set_edit(edit));
    }

    /// Tells `recorder` from now on what processes and servers do.
    pub fn record(&self, recorder: &Recorder) {
        self.shared.with(|world| {
            world.recorder = Some(recorder.clone());
            world.tell_of_replicas();
        });
    }

    /// What has happened so far that a test may want to know of: a fault that never bites proves nothing.
    #[must_use]
    pub fn marks(&self) -> Marks {
        self.shared.with(|world| world.marks.clone())
    }

    /// Lets `faults` decide about every message from now on.
    pub fn set_faults(&self, faults: impl Faults + 'static) {
        self.shared.with(|world| world.faults = Box::new(faults));
    }

    /// Adds a line to the trace.
    pub fn note(&self, text: impl Into<String>) {
        self.shared.with(|world| world.note(text));
    }

    /// Lets a scenario of [`run`](crate::run) take so long, in world time since it began, instead of
    /// [`TIME_LIMIT`](crate::TIME_LIMIT). Call it before anything waits.
    pub fn set_time_limit(&self, limit: Duration) {
        self.shared.with(|world| world.time_limit = limit);
    }

    pub(crate) fn time_limit(&self) -> Duration {
        self.shared.with(|world| world.time_limit)
    }

    /// The end of the trace.
    pub(crate) fn last_lines(&self, count: usize) -> Vec<String> {
        self.shared.with(|world| world.trace.last_lines(count))
    }

    /// What happened so far, oldest first, at most the latest 200,000 lines: world time in seconds, who, what, and what
    /// came of it. Two runs of one seed give the same lines.
    #[must_use]
    pub fn trace(&self) -> Vec<String> {
        self.shared.with(|world| world.trace.lines())
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("seed", &self.seed)
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}
