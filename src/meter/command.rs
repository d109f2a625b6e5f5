//! The calls of a client's backend.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Instant;
use crate::failure::BackendError;
use crate::meter::facade::{CommandEmitter, Raised};
use crate::outage::{Outage, Turn};
use crate::stats::{CommandStats, Timing};

/// A method of [`LockBackend`](crate::LockBackend) that asks the backend something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Acknowledge,
    Acquire,
    AddPermits,
    ForceRelease,
    Inspect,
    List,
    Notify,
    Refresh,
    Release,
    Resize,
    Time,
}

impl Verb {
    pub(crate) const LABELS: [&str; 11] = [
        "acknowledge",
        "acquire",
        "add_permits",
        "force_release",
        "inspect",
        "list",
        "notify",
        "refresh",
        "release",
        "resize",
        "time",
    ];

    pub(crate) fn label(self) -> &'static str {
        Self::LABELS[self as usize]
    }
}

/// What a call came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Ok,
    /// It failed for good: the backend said so.
    Error,
    /// It failed in a way that may pass, or was not answered in time.
    Unavailable,
}

impl Answer {
    pub(crate) fn of<T>(answer: &Result<T, BackendError>) -> Self {
        match answer {
            Ok(_) => Self::Ok,
            Err(error) if error.is_transient() => Self::Unavailable,
            Err(_) => Self::Error,
        }
    }

    /// Of a call about many things: one of them suffices to know that the backend answers.
    pub(crate) fn of_all<T>(answers: &[Result<T, BackendError>]) -> Self {
        let best = answers.iter().map(Self::of).min_by_key(|answer| *answer as u8);
        best.unwrap_or(Self::Ok)
    }
}

/// Measures all calls of a client, those of its keeper included.
#[derive(Debug, Default)]
pub(crate) struct CommandMeter {
    state: Mutex<State>,
    emitter: CommandEmitter,
}

#[derive(Debug, Default)]
struct State {
    timings: [Timings; Verb::LABELS.len()],
    link: Option<Link>,
    failovers: u64,
    outage: Outage,
}

#[derive(Debug, Default, Clone, Copy)]
struct Timings {
    ok: Timing,
    error: Timing,
}

/// Whether the backend answers, as the latest call showed.
#[derive(Debug)]
struct Link {
    is_up: bool,
    _counted: Raised,
}

impl CommandMeter {
    /// A call has ended; answers whether an outage begins or ends with it.
    pub(crate) fn called(&self, verb: Verb, answer: Answer, took: Duration, now: Instant) -> Option<Turn> {
        let is_ok = answer == Answer::Ok;
        let mut state = self.lock();
        state.called(verb, is_ok, answer != Answer::Unavailable, &self.emitter, took);
        let turn = match answer {
            Answer::Unavailable => state.outage.failed(verb, now),
            Answer::Ok | Answer::Error => state.outage.worked(verb, now),
        };
        drop(state);
        self.emitter.called(verb, is_ok, took);
        turn
    }

    /// A connection that was lost leads to another server.
    pub(crate) fn failed_over(&self) {
        self.lock().failovers += 1;
        self.emitter.failed_over();
    }

    pub(crate) fn failovers(&self) -> u64 {
        self.lock().failovers
    }

    pub(crate) fn backend_up(&self) -> Option<bool> {
        self.lock().link.as_ref().map(|link| link.is_up)
    }

    pub(crate) fn stats(&self) -> Vec<CommandStats> {
        let timings = self.lock().timings;
        let of_verb = |(verb, Timings { ok, error })| CommandStats { verb, ok, error };
        Verb::LABELS.into_iter().zip(timings).map(of_verb).collect()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn called(&mut self, verb: Verb, is_ok: bool, is_up: bool, emitter: &CommandEmitter, took: Duration) {
        let timings = &mut self.timings[verb as usize];
        let timing = if is_ok { &mut timings.ok } else { &mut timings.error };
        timing.record(took);
        if self.link.as_ref().is_none_or(|link| link.is_up != is_up) {
            self.link = Some(Link {
                is_up,
                _counted: emitter.link(is_up),
            });
        }
    }
}
