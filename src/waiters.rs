//! The waiters of this process: one subscription for all, one line per name, and only the foremost of a line looks.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::Notify;

use crate::backend::{Queued, Wakeup};
use crate::clock::{Clock, Instant};
use crate::commands::Commands;
use crate::failure::BackendError;
use crate::holder::{HolderId, Inbox};
use crate::keeper::Keeper;
use crate::name::Name;

/// Bounds how often a waiter looks when the moment it waits for is now: no spinning.
const LOOK_MIN: Duration = Duration::from_millis(2);
/// A foremost waiter that has not looked this long after it was time is passed over: nobody polls it.
const LATE: Duration = Duration::from_secs(1);
/// How long a foremost waiter that went to ask may take, failures included, before it is passed over.
const ASKING: Duration = Duration::from_secs(60);

/// Everyone of this client who waits.
#[derive(Debug)]
pub(crate) struct Waiters {
    shared: Arc<Shared>,
    subscribing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Shared {
    keeper: Weak<Keeper>,
    clock: Arc<dyn Clock>,
    /// The first line has begun.
    joined: Notify,
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
    /// How often the waiters want somebody to look, and how many want it that often.
    intervals: BTreeMap<Duration, usize>,
    look_at: Instant,
    /// The foremost is passed over if it has not stirred by then.
    stir_by: Instant,
    /// A message to one of these waiters was missed, so those behind it may have missed theirs.
    suspicious: bool,
}

#[derive(Debug)]
struct Waiter {
    called: Arc<Notify>,
    interval: Duration,
    has_mail: bool,
    /// Why to look at once. Stays until this waiter asks, whatever an earlier answer says.
    look_now: Option<Call>,
    /// It was told that it is in the queue.
    is_queued: bool,
    passed_over: bool,
}

/// Why a waiter asks again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    /// It got a message.
    Mail,
    /// It is the foremost, and it was time; or messages may have been missed.
    Time,
    /// Another one of its line had lost its place in the queue.
    Displaced,
}

impl Waiters {
    pub(crate) fn new(keeper: &Arc<Keeper>, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            keeper: Arc::downgrade(keeper),
            clock,
            joined: Notify::new(),
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
    pub(crate) async fn listen(&self, backend: &Commands, inbox: Inbox) -> Result<(), BackendError> {
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

    /// Takes a place at the end of the line of `name`, of which somebody is to look every `interval`.
    pub(crate) fn join(&self, name: &Name, holder: HolderId, interval: Duration) -> Seat {
        let called = Arc::new(Notify::new());
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        if state.lines.is_empty() {
            self.shared.joined.notify_one();
        }
        state.joined += 1;
        let number = state.joined;
        let waiter = Waiter {
            called: Arc::clone(&called),
            interval,
            has_mail: false,
            look_now: None,
            is_queued: false,
            passed_over: false,
        };
        let line = state.lines.entry(name.clone()).or_insert_with(|| Line::new(now));
        line.waiters.insert(number, waiter);
        *line.intervals.entry(interval).or_default() += 1;
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
        let mut watch = Box::pin(self.0.watch());
        loop {
            tokio::select! {
                biased;
                () = self.0.ended.cancelled() => return,
                wakeup = wakeups.next() => match wakeup {
                    Some(wakeup) => self.0.deliver(wakeup),
                    None => return,
                },
                () = &mut watch => return,
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
                let now = self.clock.now();
                for line in self.lock().lines.values_mut() {
                    line.suspicious = true;
                    line.alarm(now);
                    line.ask_newest();
                }
            }
        }
    }

    /// Passes over those who do not look although it is time: a future that nobody polls must not stop the others.
    async fn watch(&self) {
        loop {
            if self.lock().lines.is_empty() {
                self.joined.notified().await;
            }
            self.clock.sleep_until(self.clock.now() + LATE).await;
            let now = self.clock.now();
            let mut state = self.lock();
            for line in state.lines.values_mut().filter(|line| line.stir_by <= now) {
                line.pass_over(now);
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

impl Waiter {
    /// It is to look at once.
    fn call(&mut self, why: Call) {
        self.look_now = Some(why);
        self.called.notify_one();
    }
}

impl Line {
    fn new(now: Instant) -> Self {
        Self {
            stir_by: now + ASKING,
            ..Self::default()
        }
    }

    /// Who looks for all: the first who was not passed over.
    fn foremost(&self) -> Option<u64> {
        let awake = self.waiters.iter().find(|(_, waiter)| !waiter.passed_over);
        awake.or(self.waiters.first_key_value()).map(|(number, _)| *number)
    }

    fn call_foremost(&self) {
        if let Some(foremost) = self.foremost() {
            self.waiters[&foremost].called.notify_one();
        }
    }

    fn plan(&mut self, look_at: Instant) {
        self.look_at = look_at;
        self.stir_by = look_at + LATE;
    }

    /// The foremost looks at once.
    fn alarm(&mut self, now: Instant) {
        let foremost = self.foremost().and_then(|number| self.waiters.get_mut(&number));
        if let Some(waiter) = foremost {
            waiter.call(Call::Time);
            self.stir_by = self.stir_by.min(now + LATE);
        }
    }

    /// The one that joined the queue last looks, too: a server that lost something lost its place.
    fn ask_newest(&mut self) {
        if let Some(waiter) = self.waiters.values_mut().rfind(|waiter| waiter.is_queued) {
            waiter.call(Call::Time);
        }
    }

    /// Everybody else in the queue looks.
    fn ask_others(&mut self, number: u64) {
        let others = self.waiters.iter_mut().filter(|(other, _)| **other != number);
        for (_, waiter) in others.filter(|(_, waiter)| waiter.is_queued) {
            waiter.call(waiter.look_now.unwrap_or(Call::Displaced));
        }
    }

    fn pass_over(&mut self, now: Instant) {
        let foremost = self.foremost().and_then(|number| self.waiters.get_mut(&number));
        if let Some(waiter) = foremost {
            waiter.passed_over = true;
        }
        if self.waiters.values().all(|waiter| waiter.passed_over) {
            self.waiters.values_mut().for_each(|waiter| waiter.passed_over = false);
        }
        self.stir_by = now + LATE;
        self.call_foremost();
    }

    fn interval(&self) -> Duration {
        let shortest = self.intervals.first_key_value();
        shortest.map_or(LOOK_MIN, |(interval, _)| LOOK_MIN.max(*interval))
    }

    fn remove(&mut self, number: u64) -> Option<Waiter> {
        let waiter = self.waiters.remove(&number)?;
        if let Some(count) = self.intervals.get_mut(&waiter.interval) {
            *count -= 1;
            if *count == 0 {
                self.intervals.remove(&waiter.interval);
            }
        }
        Some(waiter)
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
    /// the shortest interval of those in it. Only the foremost puts it off: what another was told may be older.
    ///
    /// A new place after a look, before which no message took this waiter out of the queue, means that the backend has lost
    /// the queue, or its end. All of this line join it again at once, lest newcomers pass them.
    pub(crate) fn queued(&self, now: Instant, answer: &Queued, call: Option<Call>) {
        let mut state = self.shared.lock();
        let Some(line) = state.lines.get_mut(&self.name) else {
            return;
        };
        if let Some(waiter) = line.waiters.get_mut(&self.number) {
            waiter.is_queued = true;
        }
        if answer.is_new && call == Some(Call::Time) {
            line.ask_others(self.number);
        }
        let look_at = now + answer.look_after.clamp(LOOK_MIN, line.interval());
        if line.foremost() == Some(self.number) {
            line.suspicious = false;
            line.plan(look_at);
        } else if look_at + LOOK_MIN < line.look_at {
            line.plan(look_at);
            line.call_foremost();
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
    pub(crate) async fn called(&self) -> Call {
        loop {
            let look_at = match self.news() {
                Ok(call) => return call,
                Err(look_at) => look_at,
            };
            match look_at {
                None => self.called.notified().await,
                Some(moment) => tokio::select! {
                    biased;
                    () = self.called.notified() => {}
                    () = self.shared.clock.sleep_until(moment) => {}
                },
            }
        }
    }

    /// Why to ask now, or when to, if it is for this waiter to look.
    fn news(&self) -> Result<Call, Option<Instant>> {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        let line = state
            .lines
            .get_mut(&self.name)
            .expect("a line lives while it has a seat");
        let waiter = line.waiters.get_mut(&self.number).expect("a seat is in its line");
        waiter.passed_over = false;
        let (look_now, has_mail) = (
            std::mem::take(&mut waiter.look_now),
            std::mem::take(&mut waiter.has_mail),
        );
        let is_foremost = line.foremost() == Some(self.number);
        let is_time = is_foremost && line.look_at <= now;
        if is_foremost && (is_time || has_mail || look_now.is_some()) {
            line.stir_by = now + ASKING;
        }
        let call = look_now.or(is_time.then_some(Call::Time));
        call.or(has_mail.then_some(Call::Mail))
            .ok_or_else(|| is_foremost.then_some(line.look_at))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let now = self.shared.clock.now();
        let mut state = self.shared.lock();
        state.seats.remove(&self.holder);
        let Some(line) = state.lines.get_mut(&self.name) else {
            return;
        };
        let was_foremost = line.foremost() == Some(self.number);
        let should_look = line.remove(self.number).is_some_and(|waiter| waiter.look_now.is_some());
        if line.waiters.is_empty() {
            state.lines.remove(&self.name);
        } else if was_foremost {
            line.stir_by = line.stir_by.min(line.look_at.max(now) + LATE);
            if line.suspicious || should_look {
                line.alarm(now);
            } else {
                line.call_foremost();
            }
        }
    }
}
