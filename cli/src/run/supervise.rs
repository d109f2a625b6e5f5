//! Watches the lease and the command until the command's whole group is gone.

use std::time::Duration;

use semafence::{Clock, Instant, LossReason, OwnedPermit, SystemClock};

use super::args::OnLost;
use super::group::{Membership, Reaped};
use super::guarded::Guarded;
use super::signals::{Signals, comes_from_the_keyboard};
use super::timing::{Deadlines, Timing};
use super::wire::{Ending, Event, Order};
use crate::console::Console;

/// How long a killed group may take to vanish.
const VANISH_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a group is killed that the guard may be unable to kill.
const KILL_INTERVAL: Duration = Duration::from_millis(50);

/// What is known before the command starts.
pub(super) struct Supervision<'a> {
    pub(super) permit: &'a OwnedPermit,
    pub(super) timing: Timing,
    pub(super) ttl: Duration,
    pub(super) on_lost: OnLost,
    pub(super) membership: Membership,
    pub(super) console: Console,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The command ended by itself.
    Ended(Ending),
    /// The lease could not be kept, and the command was stopped for it.
    Lost,
    /// The guard was killed, and the command with it.
    Unguarded,
    /// Something of the group is still there.
    Unkillable,
}

impl Supervision<'_> {
    /// When the guard has to act unless the lease is refreshed; `None` if it never has to.
    pub(super) fn deadlines(&self) -> Option<Deadlines> {
        match self.on_lost {
            OnLost::Continue => None,
            OnLost::Terminate => Some(self.timing.deadlines(self.lease_end())),
        }
    }

    /// Read in this order, the end is never later than the true one.
    fn lease_end(&self) -> Instant {
        let now = SystemClock.now();
        now + self.permit.remaining()
    }

    pub(super) async fn run(&self, guarded: &mut Guarded, signals: &mut Signals) -> Outcome {
        let mut state = State::default();
        let mut told = self.deadlines();
        loop {
            tokio::select! {
                biased;
                reason = self.permit.lost(), if !state.lost => {
                    state.lost = true;
                    state.killing = self.stop(reason, guarded).await;
                    state.stopped |= state.killing;
                }
                event = guarded.next() => match event {
                    Some(Event::Gone) => return state.outcome(),
                    Some(event) => self.note(event, &mut state),
                    None => return state.taken_over(guarded.take_over().await),
                },
                number = signals.next() => self.forward(number, guarded).await,
                () = SystemClock.sleep_until(self.next_look(told)), if !state.lost && told.is_some() => {
                    told = self.tell(told, guarded).await;
                }
                () = tokio::time::sleep(KILL_INTERVAL), if state.killing => {
                    state.vanished_by.get_or_insert_with(vanish_deadline);
                    guarded.kill();
                }
                () = SystemClock.sleep_until(state.vanished_by.unwrap_or_default()), if state.vanished_by.is_some() => {
                    return Outcome::Unkillable;
                }
            }
        }
    }

    /// Shortly before the guard would act, and then in small steps: a refresh may still succeed.
    fn next_look(&self, told: Option<Deadlines>) -> Instant {
        let terminate_at = told.map_or(Duration::ZERO, |deadlines| deadlines.terminate_at);
        let early = Instant::from_origin(terminate_at) - self.ttl / 10;
        early.max(SystemClock.now() + self.ttl / 30)
    }

    async fn tell(&self, told: Option<Deadlines>, guarded: &mut Guarded) -> Option<Deadlines> {
        if !self.permit.is_held() {
            // This process was stopped, and its keeper has not noticed yet.
            guarded.kill();
            return None;
        }
        let deadlines = self.deadlines();
        if let Some(deadlines) = deadlines.filter(|&deadlines| Some(deadlines) != told) {
            guarded.order(Order::Lease(deadlines)).await;
        }
        deadlines
    }

    /// Whether this process has to kill, besides the guard.
    async fn stop(&self, reason: LossReason, guarded: &mut Guarded) -> bool {
        let name = self.permit.name();
        if self.on_lost == OnLost::Continue {
            self.console.warn(&format!(
                "the lease of {name} was lost: {reason}; the command goes on as asked"
            ));
            return false;
        }
        self.console
            .warn(&format!("the lease of {name} was lost: {reason}; stopping the command"));
        // Others may be inside already: no time for manners.
        let kills = reason == LossReason::Expired;
        if kills {
            guarded.kill();
        }
        let kill_at = SystemClock.now() + self.timing.kill_after;
        guarded
            .order(Order::Stop {
                kill_at: kill_at.since_origin(),
            })
            .await;
        kills
    }

    async fn forward(&self, number: i32, guarded: &mut Guarded) {
        if self.membership == Membership::Shared && comes_from_the_keyboard(number) {
            return;
        }
        guarded.order(Order::Signal(number)).await;
    }

    fn note(&self, event: Event, state: &mut State) {
        match event {
            Event::Started { group } => self.console.step(&format!("the command runs in process group {group}")),
            Event::Ended(ending) => state.ending = Some(ending),
            Event::Terminating => {
                state.stopped = true;
                if !state.lost {
                    let name = self.permit.name();
                    self.console.warn(&format!(
                        "the lease of {name} could not be renewed in time; stopping the command"
                    ));
                }
            }
            Event::Killing => {
                state.stopped = true;
                state.vanished_by.get_or_insert_with(vanish_deadline);
            }
            Event::Gone => {}
        }
    }
}

fn vanish_deadline() -> Instant {
    SystemClock.now() + VANISH_TIMEOUT
}

/// What has happened so far.
#[derive(Debug, Default)]
struct State {
    ending: Option<Ending>,
    /// The guard may be unable to kill what must be killed.
    killing: bool,
    lost: bool,
    stopped: bool,
    vanished_by: Option<Instant>,
}

impl State {
    /// After the guard was killed.
    fn taken_over(&self, reaped: Reaped) -> Outcome {
        match reaped {
            Reaped::Gone if self.stopped => Outcome::Lost,
            Reaped::Gone => Outcome::Unguarded,
            Reaped::Ended(_) | Reaped::Running => Outcome::Unkillable,
        }
    }

    fn outcome(&self) -> Outcome {
        match self.ending {
            Some(ending) if !self.stopped => Outcome::Ended(ending),
            _ => Outcome::Lost,
        }
    }
}
