//! The waiters of this process: one subscription for all, one line per name, and only the foremost of a line looks.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::Notify;

use crate::backend::{LockBackend, Wakeup};
use crate::clock::{Clock, Instant};
use crate::failure::BackendError;
use crate::holder::{HolderId, Inbox};
use crate::keeper::Keeper;
use crate::name::Name;

/// Bounds how often a waiter looks when the moment it waits for is now: no spinning.
const LOOK_MIN: Duration = Duration::from_millis(2);

/// Everyone of this client who waits.
#[derive(Debug)]
pub(crate) struct Waiters {
    shared: Arc<Shared>,
    subscribing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Shared {
    keeper: Weak<Keeper>,
    listening: AtomicBool,
    ended: tokio_util::sync::CancellationToken,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    joined: u64,
    lines: BTreeMap<Name, Line>,
    seats: HashMap<HolderId, (Name, u64)>,
}

#[derive(Debug, Default)]
struct Line {
    waiters: BTreeMap<u64, Waiter>,
    look_at: Instant,
    /// A message to one of these waiters was missed, so those behind it may have missed theirs.
    suspicious: bool,
}

#[derive(Debug)]
struct Waiter {
    called: Arc<Notify>,
    has_mail: bool,
}

/// Why a waiter asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// It got a message.
    Mail,
    /// It is the foremost, and it was time.
    Time,
}

impl Waiters {
    pub(crate) fn new(keeper: &Arc<Keeper>) -> Self {
        let shared = Shared {
            keeper: Arc::downgrade(keeper),
            listening: AtomicBool::new(false),
            ended: tokio_util::sync::CancellationToken::new(),
            state: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            subscribing: tokio::sync::Mutex::new(()),
        }
    }

    /// Whether grants and wake-ups reach this client without further ado.
    pub(crate) fn is_listening(&self) -> bool {
        self.shared.listening.load(Ordering::Acquire)
    }

    /// Subscribes, unless it has been done. Subscribe before joining a queue, or a hand-off between the two is missed.
    pub(crate) async fn listen(&self, backend: &dyn LockBackend, inbox: Inbox) -> Result<(), BackendError> {
        if self.is_listening() {
            return Ok(());
        }
        let _one_at_a_time = self.subscribing.lock().await;
        if self.is_listening() {
            return Ok(());
        }
        let wakeups = backend.notify(inbox).await?;
        self.shared.listening.store(true, Ordering::Release);
        let reader = Reader(Arc::clone(&self.shared));
        tokio::spawn(reader.read(wakeups));
        Ok(())
    }

    /// Takes a place at the end of the line of `name`.
    pub(crate) fn join(&self, name: &Name, holder: HolderId) -> Seat {
        let called = Arc::new(Notify::new());
        let mut state = self.shared.lock();
        state.joined += 1;
        let number = state.joined;
        let waiter = Waiter {
            called: Arc::clone(&called),
            has_mail: false,
        };
        state
            .lines
            .entry(name.clone())
            .or_default()
            .waiters
            .insert(number, waiter);
        state.seats.insert(holder, (name.clone(), number));
        Seat {
            shared: Arc::clone(&self.shared),
            name: name.clone(),
            holder,
            number,
            called,
        }
    }

    /// Ends the subscription.
    pub(crate) fn close(&self) {
        self.shared.ended.cancel();
    }
}

impl Drop for Waiters {
    fn drop(&mut self) {
        self.close();
    }
}

/// Reads the subscription in a task of the runtime where somebody first waited.
struct Reader(Arc<Shared>);

impl Reader {
    async fn read(self, mut wakeups: BoxStream<'static, Wakeup>) {
        loop {
            tokio::select! {
                biased;
                () = self.0.ended.cancelled() => return,
                wakeup = wakeups.next() => match wakeup {
                    Some(wakeup) => self.0.deliver(wakeup),
                    None => return,
                }
            }
        }
    }
}

/// However the task ends, also with its runtime: whoever waits subscribes anew.
impl Drop for Reader {
    fn drop(&mut self) {
        self.0.listening.store(false, Ordering::Release);
        self.0.deliver(Wakeup::Missed);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deliver(&self, wakeup: Wakeup) {
        match wakeup {
            Wakeup::Look(holder) => self.mail(holder),
            Wakeup::Forced(holder) => {
                self.mail(holder);
                if let Some(keeper) = self.keeper.upgrade() {
                    keeper.forced(holder);
                }
            }
            Wakeup::Missed => {
                for line in self.lock().lines.values_mut() {
                    line.suspicious = true;
                    line.look_at = Instant::default();
                    line.call_first();
                }
            }
        }
    }

    fn mail(&self, holder: HolderId) {
        let mut state = self.lock();
        let Some((name, number)) = state.seats.get(&holder).cloned() else {
            return;
        };
        let line = state.lines.get_mut(&name);
        if let Some(waiter) = line.and_then(|line| line.waiters.get_mut(&number)) {
            waiter.has_mail = true;
            waiter.called.notify_one();
        }
    }
}

impl Line {
    fn call_first(&self) {
        if let Some((_, first)) = self.waiters.first_key_value() {
            first.called.notify_one();
        }
    }
}

/// A place in the line of one name; dropping it leaves the line.
#[derive(Debug)]
pub(crate) struct Seat {
    shared: Arc<Shared>,
    name: Name,
    holder: HolderId,
    number: u64,
    called: Arc<Notify>,
}

impl Seat {
    /// The backend said *queued* at `now`, and when the next lease ends: the next look of this line is then, but within
    /// `interval`.
    pub(crate) fn queued(&self, now: Instant, look_after: Duration, interval: Duration) {
        let mut state = self.shared.lock();
        if let Some(line) = state.lines.get_mut(&self.name) {
            line.suspicious = false;
            line.look_at = now + look_after.clamp(LOOK_MIN, interval.max(LOOK_MIN));
        }
    }

    /// A look, not a message, brought the permit: the next in line looks at once.
    pub(crate) fn granted(&self, call: Option<Call>) {
        if call != Some(Call::Time) {
            return;
        }
        if let Some(line) = self.shared.lock().lines.get_mut(&self.name) {
            line.suspicious = true;
        }
    }

    /// Waits until there is a reason to ask again.
    pub(crate) async fn called(&self, clock: &dyn Clock) -> Call {
        loop {
            let look_at = {
                let mut state = self.shared.lock();
                let line = state
                    .lines
                    .get_mut(&self.name)
                    .expect("a line lives while it has a seat");
                let foremost = line
                    .waiters
                    .first_key_value()
                    .is_some_and(|(first, _)| *first == self.number);
                let waiter = line.waiters.get_mut(&self.number).expect("a seat is in its line");
                if std::mem::take(&mut waiter.has_mail) {
                    return Call::Mail;
                }
                foremost.then_some(line.look_at)
            };
            match look_at {
                None => self.called.notified().await,
                Some(moment) => tokio::select! {
                    biased;
                    () = self.called.notified() => {}
                    () = clock.sleep_until(moment) => return Call::Time,
                },
            }
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.seats.remove(&self.holder);
        let Some(line) = state.lines.get_mut(&self.name) else {
            return;
        };
        let was_first = line
            .waiters
            .first_key_value()
            .is_some_and(|(first, _)| *first == self.number);
        line.waiters.remove(&self.number);
        if line.waiters.is_empty() {
            state.lines.remove(&self.name);
        } else if was_first {
            if line.suspicious {
                line.look_at = Instant::default();
            }
            line.call_first();
        }
    }
}
