//! What is measured of one name in one client: kept for `Client::stats`, and told to the `metrics` facade where it is
//! compiled in.

mod command;
#[cfg(feature = "metrics")]
mod facade;
#[cfg(not(feature = "metrics"))]
#[path = "silent.rs"]
mod facade;
#[cfg(feature = "metrics")]
mod least;
mod meters;
mod tenure;
mod wait;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub(crate) use command::{Answer, CommandMeter, Verb};
#[cfg(feature = "metrics")]
pub(crate) use facade::describe;
pub(crate) use facade::sample_leases;
pub(crate) use meters::Meters;
pub(crate) use tenure::Tenure;
pub(crate) use wait::Wait;

use crate::backend::Grant;
use crate::clock::{Clock, Instant};
use crate::error::LossReason;
use crate::fence::FencingToken;
use crate::name::Name;
use crate::stats::{Acquired, Counts, Lost, NameStats, Refreshed, Released, Returned};
use crate::trace;
use facade::Emitter;

/// One name in one client. Measuring never waits but for a lock that is held for a few instructions, draws nothing and
/// sleeps never, so that a simulation with it is the one without.
#[derive(Debug)]
pub(crate) struct Meter {
    name: Name,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    emitter: Emitter,
    /// Another program's limit that has been told, so that it is told once, whatever the number of handles.
    other_limit: AtomicU32,
}

#[derive(Debug, Default)]
struct State {
    counts: Counts,
    limit: u32,
    held: u64,
    waiters: u64,
    token: Option<FencingToken>,
    /// When the live leases end unless they are refreshed, and how many at that moment.
    deadlines: BTreeMap<Instant, u32>,
}

impl Meter {
    fn new(name: &Name, limit: u32, clock: Arc<dyn Clock>) -> Self {
        let state = State {
            limit,
            ..State::default()
        };
        let emitter = Emitter::new(name);
        emitter.limit(limit);
        Self {
            name: name.clone(),
            clock,
            state: Mutex::new(state),
            emitter,
            other_limit: AtomicU32::new(0),
        }
    }

    /// The highest token of all grants so far.
    pub(crate) fn token(&self) -> Option<FencingToken> {
        self.lock().token
    }

    /// A grant, of a claim that was made when the highest token was `before`. It must lie above that: later ones may
    /// have been seen meanwhile, since grants come back in any order.
    pub(crate) fn granted(&self, grant: &Grant, before: Option<FencingToken>) {
        let (is_newest, went_back) = self.lock().granted(grant, before);
        self.emitter.limit(grant.limit);
        if is_newest {
            self.emitter.token(grant.token);
        }
        if let Some(highest) = went_back {
            self.emitter.token_went_back();
            trace::token_went_back(&self.name, grant.token, highest);
        }
    }

    pub(crate) fn refreshed(&self, outcome: Refreshed) {
        self.lock().counts.refreshes.count(outcome);
        self.emitter.refreshed(outcome);
    }

    pub(crate) fn lost(&self, reason: LossReason) {
        let reason = Lost::from(reason);
        self.lock().counts.losses.count(reason);
        self.emitter.lost(reason);
    }

    pub(crate) fn released(&self, outcome: Released) {
        self.lock().counts.releases.count(outcome);
        self.emitter.released(outcome);
    }

    pub(crate) fn returned(&self, outcome: Returned) {
        self.lock().counts.returns.count(outcome);
        self.emitter.returned(outcome);
    }

    /// Whether another program's limit is not the one that was told last.
    pub(crate) fn is_news(&self, other_limit: u32) -> bool {
        self.other_limit.swap(other_limit, Ordering::Relaxed) != other_limit
    }

    /// The time that is left to the live lease that ends first.
    pub(crate) fn lease_remaining_min(&self) -> Option<Duration> {
        let first = self.lock().deadlines.first_key_value().map(|(moment, _)| *moment)?;
        Some(first.saturating_since(self.clock.now()))
    }

    fn stats(&self) -> NameStats {
        let lease_remaining_min = self.lease_remaining_min();
        let state = self.lock();
        NameStats {
            name: self.name.clone(),
            limit: state.limit,
            held: state.held,
            waiters: state.waiters,
            token: state.token,
            lease_remaining_min,
            counts: state.counts,
        }
    }

    fn acquired(&self, outcome: Acquired, waited: Duration) {
        let mut state = self.lock();
        state.counts.acquires.count(outcome);
        if outcome == Acquired::Granted {
            state.counts.wait.record(waited);
        }
        drop(state);
        self.emitter.acquired(outcome, waited);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Whether the token is the highest so far, and the one that it should have been above and is not.
    fn granted(&mut self, grant: &Grant, before: Option<FencingToken>) -> (bool, Option<FencingToken>) {
        self.limit = grant.limit;
        let is_newest = self.token < Some(grant.token);
        self.token = self.token.max(Some(grant.token));
        let went_back = before.filter(|before| grant.token <= *before);
        self.counts.token_regressions += u64::from(went_back.is_some());
        (is_newest, went_back)
    }

    fn begin(&mut self, slots: u32, deadline: Instant) {
        self.held += u64::from(slots);
        *self.deadlines.entry(deadline).or_default() += 1;
    }

    fn extend(&mut self, from: Instant, to: Instant) {
        self.end(0, from);
        self.begin(0, to);
    }

    fn end(&mut self, slots: u32, deadline: Instant) {
        self.held -= u64::from(slots);
        if let Some(count) = self.deadlines.get_mut(&deadline) {
            *count -= 1;
            if *count == 0 {
                self.deadlines.remove(&deadline);
            }
        }
    }
}
