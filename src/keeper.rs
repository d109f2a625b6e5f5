//! Keeps every lease alive and gives permits back, whatever the caller's runtime does.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use tokio::sync::Notify;

use crate::backend::{Claim, Standing};
use crate::call::{at, in_time};
use crate::clock::{Clock, Instant};
use crate::commands::Commands;
use crate::error::{Error, LossReason};
use crate::failure::BackendError;
use crate::fence::FencingToken;
use crate::holder::HolderId;
use crate::lease::{End, Lease};
use crate::meter::{Meters, sample_leases};
use crate::name::Name;
use crate::reconnect::Reconnect;
use crate::schedule::{Due, Kept, Schedule};
use crate::stats::{Refreshed, Returned};
use crate::trace;

/// How long dropping the last handle of a client waits for permits that are on their way back.
const FAREWELL: Duration = Duration::from_millis(250);
/// After so many turns without a pause the keeper lets timers and connections have one.
const TURNS: u64 = 64;

/// Where the keeper runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum KeeperMode {
    /// As a task of the runtime in which the client is built: for simulators.
    Task,
    /// On a thread of its own: a blocked or ended runtime of the caller loses nothing.
    #[default]
    Thread,
}

/// A permit that was lost, as told to [`ClientBuilder::on_lost`](crate::ClientBuilder::on_lost).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Loss {
    /// The semaphore.
    pub name: Name,
    /// Whose permit.
    pub holder: HolderId,
    /// Its token.
    pub token: FencingToken,
    /// Why.
    pub reason: LossReason,
}

pub(crate) type OnLost = Arc<dyn Fn(&Loss) + Send + Sync>;

/// The handle to the keeper; dropping it ends the keeper once everything is given back.
pub(crate) struct Keeper {
    shared: Arc<Shared>,
    thread: Option<Thread>,
}

struct Thread {
    id: std::thread::ThreadId,
    runtime: tokio::runtime::Handle,
    done: Mutex<mpsc::Receiver<()>>,
}

struct Shared {
    backend: Commands,
    clock: Arc<dyn Clock>,
    meters: Arc<Meters>,
    on_lost: Option<OnLost>,
    state: Mutex<State>,
    /// Something is due earlier than planned.
    wake: Notify,
    /// A permit has been given back.
    returned: Notify,
}

#[derive(Default)]
struct State {
    schedule: Schedule,
    returns: Vec<Claim>,
    returning: usize,
    abandoned: u64,
    losses: Vec<Arc<Lease>>,
    next_wake: Option<Instant>,
    /// Who has never held anything needs no connection of the keeper's; from then on no failover is missed.
    has_kept: bool,
    /// Nothing is kept any more.
    closed: bool,
    /// The last handle is gone.
    closing: bool,
}

impl Keeper {
    pub(crate) fn start(
        mode: KeeperMode,
        backend: Commands,
        clock: Arc<dyn Clock>,
        meters: Arc<Meters>,
        on_lost: Option<OnLost>,
    ) -> Result<Self, Error> {
        let shared = Arc::new(Shared {
            backend,
            clock,
            meters,
            on_lost,
            state: Mutex::default(),
            wake: Notify::new(),
            returned: Notify::new(),
        });
        let thread = match mode {
            KeeperMode::Task => {
                let runtime = tokio::runtime::Handle::try_current()
                    .map_err(|error| Error::config("keeper", format!("cannot run as a task: {error}")))?;
                runtime.spawn(run(Arc::clone(&shared)));
                None
            }
            KeeperMode::Thread => Some(spawn(Arc::clone(&shared))?),
        };
        Ok(Self { shared, thread })
    }

    /// The runtime of its thread, if it has one.
    pub(crate) fn runtime(&self) -> Option<&tokio::runtime::Handle> {
        self.thread.as_ref().map(|thread| &thread.runtime)
    }

    /// Keeps `lease` until it is lost or forgotten; answers whether it does, since after [`close`](Self::close) it takes
    /// no more.
    #[must_use]
    pub(crate) fn keep(&self, lease: Arc<Lease>, intervals: Intervals, asked_at: Instant) -> bool {
        let mut state = self.shared.lock();
        if state.closed {
            return false;
        }
        state.has_kept = true;
        let first = state.schedule.insert(Kept::new(lease, intervals, asked_at));
        self.shared.wake_before(&state, first);
        true
    }

    /// Stops refreshing this holder's lease; a loss that nobody has been told of yet is told.
    pub(crate) fn forget(&self, holder: HolderId) {
        let mut state = self.shared.lock();
        let Some(kept) = state.schedule.remove(holder) else {
            return;
        };
        if matches!(kept.lease.ending(), Some(End::Lost(_))) {
            state.losses.push(kept.lease);
            self.shared.wake.notify_one();
        }
    }

    /// Releases the claim in the background, and goes on trying until its lease would have ended.
    pub(crate) fn give_back(&self, claim: Claim) {
        self.shared.lock().returns.push(claim);
        self.shared.wake.notify_one();
    }

    /// An operator took this holder's permit.
    pub(crate) fn forced(&self, holder: HolderId) {
        let mut state = self.shared.lock();
        if let Some(kept) = state.schedule.remove(holder) {
            kept.lease.end(End::Lost(LossReason::Forced));
            state.losses.push(kept.lease);
            self.shared.wake.notify_one();
        }
    }

    /// Ends every lease and gives all of them back; answers how many were, and how many could not be.
    pub(crate) async fn close(&self) -> (u64, u64) {
        let (count, abandoned_before) = self.shared.close();
        loop {
            let returned = self.shared.returned.notified();
            {
                let state = self.shared.lock();
                if state.returns.is_empty() && state.returning == 0 {
                    let abandoned = state.abandoned - abandoned_before;
                    return (count.saturating_sub(abandoned), abandoned);
                }
            }
            returned.await;
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        let pending = {
            let mut state = self.shared.lock();
            state.closing = true;
            !state.returns.is_empty() || state.returning > 0
        };
        self.shared.wake.notify_one();
        let on_another_thread = |thread: &&Thread| thread.id != std::thread::current().id();
        if let Some(thread) = self.thread.as_ref().filter(on_another_thread).filter(|_| pending) {
            let done = thread.done.lock().unwrap_or_else(PoisonError::into_inner);
            // Either it is done, or the leases end with their ttl; both are fine.
            let _done_or_late = done.recv_timeout(FAREWELL);
        }
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("Keeper")
            .field("leases", &state.schedule.len())
            .field("returning", &(state.returns.len() + state.returning))
            .finish_non_exhaustive()
    }
}

/// How often a lease is refreshed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intervals {
    pub(crate) refresh: Duration,
    pub(crate) retry: Duration,
}

fn spawn(shared: Arc<Shared>) -> Result<Thread, Error> {
    let cannot = |error: std::io::Error| Error::config("keeper", format!("cannot start its thread: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot)?;
    let handle = runtime.handle().clone();
    let (tell_done, done) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("semafence-keeper".to_owned())
        .spawn(move || {
            runtime.block_on(run(shared));
            // Nobody may be listening, and that is fine.
            let _nobody_waits = tell_done.send(());
        })
        .map_err(cannot)?;
    Ok(Thread {
        id: thread.thread().id(),
        runtime: handle,
        done: Mutex::new(done),
    })
}

/// What is to be done now, and when to look again.
struct Plan {
    refresh: Vec<Vec<Arc<Lease>>>,
    returns: Vec<Claim>,
    losses: Vec<Arc<Lease>>,
    next: Option<Instant>,
    has_kept: bool,
    finished: bool,
}

/// A call that has been answered.
enum Done {
    Refreshed {
        asked_at: Instant,
        leases: Vec<Arc<Lease>>,
        answers: Vec<Result<Standing, BackendError>>,
    },
    Returned {
        abandoned: bool,
    },
}

async fn run(shared: Arc<Shared>) {
    // Apart, and refreshes first: a lease must not wait behind thousands of permits on their way back.
    let mut refreshes = FuturesUnordered::<BoxFuture<'static, Done>>::new();
    let mut returns = FuturesUnordered::<BoxFuture<'static, Done>>::new();
    let mut reconnects = shared.backend.reconnects();
    for turn in 1_u64.. {
        if turn.is_multiple_of(TURNS) {
            tokio::task::yield_now().await;
        }
        let plan = shared.plan();
        for lease in plan.losses {
            shared.announce(&lease);
        }
        for leases in plan.refresh {
            refreshes.push(Box::pin(refresh(Arc::clone(&shared), leases)));
        }
        for claim in plan.returns {
            returns.push(Box::pin(give_back(Arc::clone(&shared), claim)));
        }
        if plan.finished && refreshes.is_empty() && returns.is_empty() {
            return;
        }
        // Whatever is ready, the next turn plans anew. Calls come before the wish to plan, or whoever wakes the keeper
        // without end would keep it from ever sending anything.
        tokio::select! {
            biased;
            Some(done) = refreshes.next(), if !refreshes.is_empty() => shared.finish(done),
            Some(done) = returns.next(), if !returns.is_empty() => shared.finish(done),
            Some(reconnect) = reconnects.next(), if plan.has_kept => shared.reconnected(reconnect),
            () = shared.wake.notified() => {}
            () = until(&*shared.clock, plan.next) => {}
        }
    }
}

async fn until(clock: &dyn Clock, moment: Option<Instant>) {
    match moment {
        Some(moment) => clock.sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn refresh(shared: Arc<Shared>, leases: Vec<Arc<Lease>>) -> Done {
    let wall = shared.clock.wall();
    let claims: Vec<Claim> = leases.iter().map(|lease| at(&lease.claim, wall)).collect();
    let patience = claims.iter().map(Claim::timeout).min().unwrap_or_default();
    leases.iter().for_each(|lease| lease.asking());
    let asked_at = shared.clock.now();
    let answers = in_time(&*shared.clock, patience, shared.backend.refresh(&claims)).await;
    let answers = answers.unwrap_or_default();
    let unanswered = || Err(BackendError::timed_out(patience));
    let answers = (0..leases.len())
        .map(|index| answers.get(index).cloned().unwrap_or_else(unanswered))
        .collect();
    Done::Refreshed {
        asked_at,
        leases,
        answers,
    }
}

async fn give_back(shared: Arc<Shared>, claim: Claim) -> Done {
    let give_up_at = shared.clock.now() + claim.ttl;
    let step = (claim.ttl / 30).clamp(Duration::from_millis(20), Duration::from_secs(1));
    loop {
        let claim = at(&claim, shared.clock.wall());
        let asked_at = shared.clock.now();
        let answer = in_time(&*shared.clock, claim.timeout(), shared.backend.release(&claim)).await;
        let abandoned = match answer.and_then(|answer| answer) {
            Ok(_) => false,
            Err(error) if error.is_transient() && shared.clock.now() < give_up_at => {
                shared.clock.sleep_until(asked_at + step).await;
                continue;
            }
            Err(error) => {
                trace::not_given_back(&claim, &error);
                true
            }
        };
        let outcome = if abandoned {
            Returned::Abandoned
        } else {
            Returned::Returned
        };
        shared.meters.of(&claim.name, claim.limit).returned(outcome);
        return Done::Returned { abandoned };
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake_before(&self, state: &State, moment: Instant) {
        if state.next_wake.is_none_or(|planned| moment < planned) {
            self.wake.notify_one();
        }
    }

    fn plan(&self) -> Plan {
        let now = self.clock.now();
        let mut state = self.lock();
        let Due { lost, at_risk, refresh } = state.schedule.take_due(now);
        at_risk.iter().for_each(|lease| lease.warn());
        let mut losses = std::mem::take(&mut state.losses);
        losses.extend(lost);
        let returns = std::mem::take(&mut state.returns);
        state.returning += returns.len();
        state.next_wake = state.schedule.next();
        Plan {
            refresh,
            returns,
            losses,
            next: state.next_wake,
            has_kept: state.has_kept,
            finished: state.closing && state.schedule.is_empty(),
        }
    }

    /// A connection was lost and is there again: whether the server still knows a lease shows at once, and not only when
    /// its refresh falls due.
    fn reconnected(&self, reconnect: Reconnect) {
        if reconnect == Reconnect::Another {
            self.meters.failed_over();
        }
        let now = self.clock.now();
        self.lock().schedule.hurry(now);
    }

    fn finish(&self, done: Done) {
        match done {
            Done::Refreshed {
                asked_at,
                leases,
                answers,
            } => {
                let mut state = self.lock();
                for (lease, answer) in leases.iter().zip(answers) {
                    self.judge(&mut state, lease, asked_at, answer);
                }
                drop(state);
                sample_leases(leases.iter().map(|lease| &lease.meter));
            }
            Done::Returned { abandoned } => {
                let mut state = self.lock();
                state.returning -= 1;
                state.abandoned += u64::from(abandoned);
                self.returned.notify_waiters();
            }
        }
    }

    /// The four outcomes of a refresh: held, lost, unknown, refused.
    fn judge(&self, state: &mut State, lease: &Arc<Lease>, asked_at: Instant, answer: Result<Standing, BackendError>) {
        let holder = lease.claim.holder;
        lease.asked(&answer);
        if state.schedule.contains(holder) {
            lease.meter.refreshed(Refreshed::of(&answer));
        }
        let reason = match answer {
            Ok(Standing::Held) => {
                lease.extend(asked_at);
                state.schedule.refreshed(holder, asked_at);
                return;
            }
            Err(error) if error.is_transient() => {
                if state.schedule.failed(holder, asked_at) {
                    trace::refresh_failed(lease, &error);
                }
                return;
            }
            Err(error) => {
                trace::refresh_refused(lease, &error);
                LossReason::Refused
            }
            Ok(Standing::Forced) => LossReason::Forced,
            Ok(Standing::Absent | Standing::Waiting) => LossReason::Forgotten,
        };
        // A lease that was released meanwhile is no longer kept: the answer says nothing about it.
        if let Some(kept) = state.schedule.remove(holder) {
            kept.lease.end(End::Lost(reason));
            state.losses.push(kept.lease);
            self.wake.notify_one();
        }
    }

    fn announce(&self, lease: &Lease) {
        let End::Lost(reason) = lease.end(End::Lost(LossReason::Expired)) else {
            return;
        };
        lease.meter.lost(reason);
        trace::lost(lease, reason);
        let Some(on_lost) = &self.on_lost else { return };
        let loss = Loss {
            name: lease.claim.name.clone(),
            holder: lease.claim.holder,
            token: lease.grant.token,
            reason,
        };
        let called = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| on_lost(&loss)));
        if called.is_err() {
            trace::on_lost_panicked(&loss.name);
        }
    }

    fn close(&self) -> (u64, u64) {
        let mut state = self.lock();
        state.closed = true;
        for kept in state.schedule.drain() {
            if kept.lease.end(End::Lost(LossReason::Closed)) == End::Lost(LossReason::Closed) {
                state.returns.push(kept.lease.claim_to_release());
            }
            state.losses.push(kept.lease);
        }
        self.wake.notify_one();
        ((state.returns.len() + state.returning) as u64, state.abandoned)
    }
}
