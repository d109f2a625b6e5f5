//! One permit, from its grant until it is released, dropped or lost.

use std::sync::Arc;

use crate::clock::Instant;
use crate::meter::Meter;
use crate::meter::facade::{self, Raised};

/// Measures one permit while its lease lives. Dropped without an end it was never anybody's.
#[derive(Debug)]
pub(crate) struct Tenure {
    meter: Arc<Meter>,
    since: Instant,
    slots: u32,
    deadline: Instant,
    _held: Raised,
}

impl Tenure {
    pub(crate) fn begin(meter: &Arc<Meter>, slots: u32, deadline: Instant) -> Self {
        meter.lock().begin(slots, deadline);
        facade::lease_began(meter);
        Self {
            meter: Arc::clone(meter),
            since: meter.clock.now(),
            slots,
            deadline,
            _held: meter.emitter.holds(slots),
        }
    }

    /// The lease lasts until `deadline` now.
    pub(crate) fn extend(&mut self, deadline: Instant) {
        self.meter.lock().extend(self.deadline, deadline);
        self.deadline = deadline;
    }

    pub(crate) fn end(self) {
        let took = self.meter.clock.now().saturating_since(self.since);
        self.meter.lock().counts.hold.record(took);
        self.meter.emitter.held_for(took);
    }
}

impl Drop for Tenure {
    fn drop(&mut self) {
        self.meter.lock().end(self.slots, self.deadline);
    }
}
