//! The meters of a client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::Clock;
use crate::meter::{CommandMeter, Meter, facade};
use crate::name::Name;
use crate::stats::{Counts, Stats};

/// How many names may be kept after their last handle and permit are gone: a program that makes a handle for each
/// request keeps its figures, one that makes up a name for each does not grow.
const IDLE_MAX: usize = 1000;

/// All meters of a client.
#[derive(Debug)]
pub(crate) struct Meters {
    clock: Arc<dyn Clock>,
    commands: Arc<CommandMeter>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    names: BTreeMap<Name, Arc<Meter>>,
    /// What was counted for names that are no longer among them.
    retired: Counts,
    /// With so many names those that nobody uses are let go.
    tidy_at: usize,
}

impl Meters {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        facade::describe();
        let state = State {
            names: BTreeMap::new(),
            retired: Counts::default(),
            tidy_at: IDLE_MAX,
        };
        Self {
            clock,
            commands: Arc::default(),
            state: Mutex::new(state),
        }
    }

    pub(crate) fn commands(&self) -> &Arc<CommandMeter> {
        &self.commands
    }

    /// Another server is there.
    pub(crate) fn failed_over(&self) {
        self.commands.failed_over();
    }

    /// The meter of a name, whose limit is this one until a grant says otherwise.
    pub(crate) fn of(&self, name: &Name, limit: u32) -> Arc<Meter> {
        let mut state = self.lock();
        if let Some(meter) = state.names.get(name) {
            return Arc::clone(meter);
        }
        state.tidy();
        let meter = Arc::new(Meter::new(name, limit, Arc::clone(&self.clock)));
        facade::join(&meter);
        state.names.insert(name.clone(), Arc::clone(&meter));
        meter
    }

    pub(crate) fn stats(&self) -> Stats {
        let state = self.lock();
        let names: Vec<_> = state.names.values().map(|meter| meter.stats()).collect();
        let mut total = state.retired;
        names.iter().for_each(|name| total.add(&name.counts));
        Stats {
            names,
            total,
            commands: self.commands.stats(),
            backend_up: self.commands.backend_up(),
            failovers: self.commands.failovers(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets go of names that nobody uses, once there are many; seldom enough that each name pays for itself.
    fn tidy(&mut self) {
        if self.names.len() < self.tidy_at {
            return;
        }
        let retired = &mut self.retired;
        self.names.retain(|_, meter| {
            let is_used = Arc::strong_count(meter) > 1;
            if !is_used {
                retired.add(&meter.lock().counts);
            }
            is_used
        });
        self.tidy_at = self.names.len() + IDLE_MAX;
    }
}
