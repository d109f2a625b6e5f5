//! A client: a backend, a clock and a keeper; makes semaphores and mutexes.

use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::backend::{LockBackend, Standing};
use crate::blocking;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::commands::Commands;
use crate::config::Config;
use crate::core::Core;
use crate::error::Error;
use crate::failure::BackendError;
use crate::forgotten::Forgotten;
use crate::holder::HolderId;
use crate::keeper::{Keeper, KeeperMode, Loss, OnLost};
use crate::meter::Meters;
use crate::mutex::{Mutex, MutexBuilder};
use crate::name::Name;
use crate::random::Random;
use crate::semaphore::{Semaphore, SemaphoreBuilder};
use crate::stats::Stats;
use crate::status::Status;
use crate::trace;
use crate::waiters::Waiters;

/// The namespace of clients that do not choose one.
pub const DEFAULT_NAMESPACE: &str = "semafence";

/// A backend, a clock and a keeper; makes semaphores and mutexes. Cheap to clone: clones are one client.
///
/// When the last clone, semaphore and permit are gone, permits that were [forgotten](crate::Permit::forget) are given
/// back, and permits that are on their way back get up to 250 ms to arrive;
/// [`close`](Self::close) waits for them without blocking a thread.
pub struct Client<B, C = SystemClock> {
    backend: Arc<B>,
    clock: Arc<C>,
    core: Arc<Core>,
}

impl<B, C> Clone for Client<B, C> {
    fn clone(&self) -> Self {
        Self {
            backend: Arc::clone(&self.backend),
            clock: Arc::clone(&self.clock),
            core: Arc::clone(&self.core),
        }
    }
}

impl<B: LockBackend> Client<B> {
    /// A client of this backend with the system's clock and all defaults. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `keeper` when its thread cannot be started.
    pub fn new(backend: B) -> Result<Self, Error> {
        Self::builder(backend).build()
    }

    /// Starts a client of this backend.
    pub fn builder(backend: B) -> ClientBuilder<B> {
        ClientBuilder {
            backend,
            clock: SystemClock,
            namespace: DEFAULT_NAMESPACE.to_owned(),
            keeper: KeeperMode::default(),
            seed: None,
            on_lost: None,
        }
    }
}

impl<B: LockBackend, C: Clock> Client<B, C> {
    /// Starts a semaphore of `limit` permits.
    pub fn semaphore(&self, name: impl Into<String>, limit: u32) -> SemaphoreBuilder<B, C> {
        SemaphoreBuilder::new(self.clone(), Config::new(name, limit))
    }

    /// Starts a mutex: a semaphore of one.
    pub fn mutex(&self, name: impl Into<String>) -> MutexBuilder<B, C> {
        MutexBuilder::new(self.semaphore(name, 1))
    }

    /// A semaphore as configured elsewhere, for example read from a file.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] that names the first field that is out of range.
    pub fn semaphore_from(&self, config: Config) -> Result<Semaphore<B, C>, Error> {
        SemaphoreBuilder::new(self.clone(), config).build()
    }

    /// A mutex as configured elsewhere.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] that names the first field that is out of range; `limit` must be 1.
    pub fn mutex_from(&self, config: Config) -> Result<Mutex<B, C>, Error> {
        if config.limit != 1 {
            return Err(Error::config(
                "limit",
                format!("is {}, but a mutex has one permit", config.limit),
            ));
        }
        MutexBuilder::new(SemaphoreBuilder::new(self.clone(), config)).build()
    }

    /// The same client for threads that run no async code.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `keeper` when the keeper runs as a task: no thread can wait for what it does.
    pub fn blocking(&self) -> Result<blocking::Client<B, C>, Error> {
        blocking::Client::of(self.clone())
    }

    /// The backend.
    #[must_use]
    pub fn backend(&self) -> &B {
        &self.backend
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &C {
        &self.clock
    }

    /// The namespace of semaphores that do not choose one.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.core.namespace
    }

    /// The backend's clock.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when it cannot be read, [`Error::Closed`] after [`close`](Self::close).
    pub async fn time(&self) -> Result<Timestamp, Error> {
        self.core.check_open()?;
        self.core
            .backend
            .time()
            .await
            .map_err(|source| failed("time", None, source))
    }

    /// Who holds and who waits for `name` in this client's namespace. Changes nothing, whatever this machine's clock.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a name that is empty or too long, [`Error::Backend`] when it cannot be read,
    /// [`Error::Closed`] after [`close`](Self::close).
    pub async fn status(&self, name: &str) -> Result<Status, Error> {
        self.core.status(&self.open_name(name)?).await
    }

    /// The names in this client's namespace that are in use or were within the last hour.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when they cannot be read, [`Error::Closed`] after [`close`](Self::close).
    pub async fn names(&self) -> Result<Vec<Name>, Error> {
        self.core.check_open()?;
        let names = self.core.backend.list(self.namespace()).await;
        names.map_err(|source| failed("list", None, source))
    }

    /// Takes the permit of `holder` away, or removes it from the queue, and serves whoever waits. The holder is told:
    /// its permit is lost with [`LossReason::Forced`](crate::LossReason::Forced), its wait ends with [`Error::Removed`].
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn force_release(&self, name: &str, holder: HolderId) -> Result<Standing, Error> {
        let name = self.open_name(name)?;
        let standing = self.core.backend.force_release(&name, holder).await;
        let standing = standing.map_err(|error| Error::backend("force_release", &name, error))?;
        trace::forced(&name, holder, standing);
        Ok(standing)
    }

    /// Stores a limit that wins over every program's own, or clears it with `None`; answers with the one before.
    /// Raising it serves waiters at once; lowering it interrupts nobody.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `limit` outside 1–65,536, and as [`status`](Self::status).
    pub async fn resize(&self, name: &str, limit: Option<u32>) -> Result<Option<u32>, Error> {
        self.core.resize(&self.open_name(name)?, limit).await
    }

    /// What this client has done so far, and what it holds and waits for at this moment. Asks nobody.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.meters.stats()
    }

    /// Gives everything back, [forgotten](crate::Permit::forget) permits too: waits end with [`Error::Closed`], permits
    /// that are still out are lost with [`LossReason::Closed`](crate::LossReason::Closed), and their slots are released.
    ///
    /// Returns when the backend has confirmed all of them, or has not for one ttl of each. Clones of this client are
    /// closed too.
    ///
    /// # Cancel safety
    ///
    /// Closing goes on in the background.
    pub async fn close(&self) -> Closed {
        self.core.closed.cancel();
        self.core.waiters.close();
        let (returned, abandoned) = self.core.keeper.close().await;
        Closed { returned, abandoned }
    }

    fn open_name(&self, name: &str) -> Result<Name, Error> {
        self.core.check_open()?;
        Name::new(self.namespace(), name)
    }

    pub(crate) fn core(&self) -> &Arc<Core> {
        &self.core
    }
}

fn failed(operation: &'static str, name: Option<Name>, source: BackendError) -> Error {
    Error::Backend {
        operation,
        name,
        outcome: source.outcome(),
        source,
    }
}

impl<B: fmt::Debug, C> fmt::Debug for Client<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("backend", &self.backend)
            .field("namespace", &self.core.namespace)
            .field("keeper", &self.core.keeper)
            .finish_non_exhaustive()
    }
}

/// What closing a client came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Closed {
    /// Permits that the backend has taken back.
    pub returned: u64,
    /// Permits that could not be given back; they end with their ttl.
    pub abandoned: u64,
}

/// Makes a [`Client`].
#[must_use = "a builder does nothing until it is built"]
pub struct ClientBuilder<B, C = SystemClock> {
    backend: B,
    clock: C,
    namespace: String,
    keeper: KeeperMode,
    seed: Option<u64>,
    on_lost: Option<OnLost>,
}

impl<B: LockBackend, C: Clock> ClientBuilder<B, C> {
    /// The clock. Default: [`SystemClock`]; simulators bring their own.
    pub fn clock<D: Clock>(self, clock: D) -> ClientBuilder<B, D> {
        ClientBuilder {
            backend: self.backend,
            clock,
            namespace: self.namespace,
            keeper: self.keeper,
            seed: self.seed,
            on_lost: self.on_lost,
        }
    }

    /// The namespace of semaphores that do not choose one; 1–64 bytes. Default: [`DEFAULT_NAMESPACE`].
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// Where leases are kept alive. Default: on a thread of its own.
    pub fn keeper(mut self, mode: KeeperMode) -> Self {
        self.keeper = mode;
        self
    }

    /// Draws holder ids and jitter from a seed instead of the operating system. For simulators only: holder ids are
    /// capabilities and must not be guessed.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Calls `on_lost` once for each permit that is lost, from the keeper; it should return quickly, because the next
    /// refresh waits for it. Its panics are caught and logged.
    pub fn on_lost(mut self, on_lost: impl Fn(&Loss) + Send + Sync + 'static) -> Self {
        self.on_lost = Some(Arc::new(on_lost));
        self
    }

    /// Makes the client. Sends nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `namespace` when it is empty or too long, with field `keeper` when that cannot be
    /// started: no thread, or as a task outside a runtime.
    pub fn build(self) -> Result<Client<B, C>, Error> {
        Name::new(&self.namespace, "-")?;
        let backend = Arc::new(self.backend);
        let clock = Arc::new(self.clock);
        let shared_backend: Arc<dyn LockBackend> = Arc::<B>::clone(&backend);
        let shared_clock: Arc<dyn Clock> = Arc::<C>::clone(&clock);
        let meters = Arc::new(Meters::new(Arc::clone(&shared_clock)));
        let measured = |backend| Commands::new(backend, Arc::clone(&shared_clock), Arc::clone(meters.commands()));
        let keeper = Keeper::start(
            self.keeper,
            measured(backend.keeper_handle()),
            Arc::clone(&shared_clock),
            Arc::clone(&meters),
            self.on_lost,
        )?;
        let keeper = Arc::new(keeper);
        let random = Random::from_seed(self.seed);
        let core = Core {
            backend: measured(shared_backend),
            waiters: Waiters::new(&keeper, Arc::clone(&shared_clock)),
            clock: shared_clock,
            forgotten: Forgotten::new(&keeper),
            keeper,
            meters,
            inbox: random.inbox(),
            random,
            namespace: self.namespace,
            closed: CancellationToken::new(),
        };
        Ok(Client {
            backend,
            clock,
            core: Arc::new(core),
        })
    }
}

impl<B: fmt::Debug, C: fmt::Debug> fmt::Debug for ClientBuilder<B, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("backend", &self.backend)
            .field("clock", &self.clock)
            .field("namespace", &self.namespace)
            .field("keeper", &self.keeper)
            .finish_non_exhaustive()
    }
}
