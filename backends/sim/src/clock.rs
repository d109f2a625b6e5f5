//! The clock of a simulated process.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use semafence::{Clock, Instant, Timestamp};
use tokio::sync::Notify;

use crate::sync::lock;
use crate::timeline::{Timeline, WorldTime};

/// When every world begins: 2026-01-01 00:00:00 UTC, in microseconds since the Unix epoch.
pub(crate) const EPOCH_US: i64 = 1_767_225_600_000_000;

/// The longest sleep that is asked of tokio's timer at a time; a longer one is slept in pieces.
const SLICE: Duration = Duration::from_secs(1 << 25);

/// A process's clock: world time with an offset, drift and steps, which stands between a process and its timers.
///
/// World time is tokio's: virtual where the runtime is paused, real where it is not. `now` never goes back, whatever is
/// done to `wall`.
#[derive(Clone)]
pub struct SimClock(Arc<Inner>);

struct Inner {
    start: tokio::time::Instant,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    timeline: Timeline,
    /// What `wall` shows when the timeline shows zero, us.
    wall_us: i64,
    activity: Activity,
}

/// Whether a process goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Activity {
    Dead,
    Paused,
    Runs,
}

impl SimClock {
    /// A clock that shows `origin` when the world begins at `start`, and the right wall-clock time.
    pub(crate) fn new(start: tokio::time::Instant, origin: Duration) -> Self {
        let origin_us = i64::try_from(origin.as_micros()).expect("an origin is less than an age");
        Self(Arc::new(Inner {
            start,
            state: Mutex::new(State {
                timeline: Timeline::new(origin),
                wall_us: EPOCH_US - origin_us,
                activity: Activity::Runs,
            }),
            changed: Notify::new(),
        }))
    }

    /// Runs `drift_ppm` millionths faster than the world from now on, slower if it is negative.
    ///
    /// # Panics
    ///
    /// When the clock would stand still or go back.
    pub fn set_drift_ppm(&self, drift_ppm: i32) {
        let world = self.world();
        lock(&self.0.state).timeline.set_drift(world, drift_ppm);
        self.0.changed.notify_waiters();
    }

    /// Steps the wall clock by so many microseconds, as a time service does; `now` does not notice.
    pub fn step_wall_us(&self, by_us: i64) {
        lock(&self.0.state).wall_us += by_us;
    }

    /// Stops the process, if it runs: timers that fall due meanwhile wait for [`resume`](Self::resume). Time goes on.
    pub(crate) fn pause(&self) -> bool {
        self.change(&[Activity::Runs], Activity::Paused)
    }

    /// Lets the process go on, if it is paused.
    pub(crate) fn resume(&self) -> bool {
        self.change(&[Activity::Paused], Activity::Runs)
    }

    /// Ends the process, unless it is dead.
    pub(crate) fn kill(&self) -> bool {
        self.change(&[Activity::Paused, Activity::Runs], Activity::Dead)
    }

    fn change(&self, from: &[Activity], to: Activity) -> bool {
        let mut state = lock(&self.0.state);
        let changes = from.contains(&state.activity);
        if changes {
            state.activity = to;
            self.0.changed.notify_waiters();
        }
        changes
    }

    /// Returns once the process runs; what it has received becomes visible to it only then.
    pub(crate) async fn running(&self) {
        loop {
            let changed = self.0.changed.notified();
            if lock(&self.0.state).activity == Activity::Runs {
                return;
            }
            changed.await;
        }
    }

    fn world(&self) -> WorldTime {
        tokio::time::Instant::now().saturating_duration_since(self.0.start)
    }

    /// How long the world has to go on until this clock shows `deadline`; `None` while the process does not run.
    fn left(&self, deadline: Instant) -> Option<Duration> {
        let state = lock(&self.0.state);
        let until = state.timeline.when(deadline.since_origin());
        (state.activity == Activity::Runs).then(|| until.saturating_sub(self.world()))
    }
}

#[async_trait]
impl Clock for SimClock {
    fn now(&self) -> Instant {
        Instant::from_origin(lock(&self.0.state).timeline.at(self.world()))
    }

    fn wall(&self) -> Timestamp {
        let state = lock(&self.0.state);
        let local_us = i64::try_from(state.timeline.at(self.world()).as_micros()).unwrap_or(i64::MAX);
        Timestamp::from_micros(state.wall_us.saturating_add(local_us).max(0).cast_unsigned())
    }

    async fn sleep_until(&self, deadline: Instant) {
        loop {
            let changed = self.0.changed.notified();
            match self.left(deadline) {
                Some(Duration::ZERO) => return,
                Some(left) => tokio::select! {
                    biased;
                    () = changed => {}
                    () = tokio::time::sleep(left.min(SLICE)) => {}
                },
                None => changed.await,
            }
        }
    }
}

impl fmt::Debug for SimClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SimClock").field(&*lock(&self.0.state)).finish()
    }
}
