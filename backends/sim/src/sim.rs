//! The simulation: one world with one server and any number of client processes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::SimBackend;
use crate::clock::SimClock;
use crate::network::Faults;
use crate::process::Process;
use crate::server::Server;
use crate::world::Shared;

/// A world with one simulated server.
///
/// World time is that of the tokio runtime: on a runtime whose clock is paused it is virtual, and an hour of leases
/// passes in milliseconds; on any other it runs as usual.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use semafence::LockBackend;
///
/// semafence_sim::run(7, |sim| async move {
///     let backend = sim.client();
///     let before = backend.time().await.unwrap();
///     tokio::time::sleep(Duration::from_secs(3600)).await;
///     assert!(backend.time().await.unwrap().as_millis() - before.as_millis() >= 3_600_000);
/// });
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
        Self {
            shared: Shared::start(seed),
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

    /// The backend of a new client process; [`SimBackend::process`] has its clock and its faults.
    #[must_use]
    pub fn client(&self) -> SimBackend {
        SimBackend::new(Process::new(Arc::clone(&self.shared), self.seed))
    }

    /// A clock that shows world time, which belongs to no process and is never paused.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        SimClock::new(self.shared.start, Duration::ZERO)
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> Server {
        Server::new(Arc::clone(&self.shared))
    }

    /// Lets `faults` decide about every message from now on.
    pub fn set_faults(&self, faults: impl Faults + 'static) {
        self.shared.with(|world| world.faults = Box::new(faults));
    }

    /// Adds a line to the trace.
    pub fn note(&self, text: impl Into<String>) {
        self.shared.with(|world| world.note(text));
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
