//! One acquire, from being asked until it has come to something.

use std::sync::Arc;

use tracing::Span;

use crate::clock::Instant;
use crate::meter::Meter;
use crate::meter::facade::Raised;
use crate::stats::Acquired;
use crate::trace;

/// Measures one acquire. Dropped before its end, the acquire was cancelled.
#[derive(Debug)]
pub(crate) struct Wait {
    meter: Arc<Meter>,
    since: Instant,
    waiting: Option<Raised>,
    span: Span,
    ended: bool,
}

impl Wait {
    pub(crate) fn begin(meter: &Arc<Meter>, since: Instant, permits: u32) -> Self {
        Self {
            meter: Arc::clone(meter),
            since,
            waiting: None,
            span: trace::acquire(&meter.name, permits),
            ended: false,
        }
    }

    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// No permit was free at once: from now on it is a waiter.
    pub(crate) fn goes_on(&mut self) {
        if self.waiting.is_none() {
            self.meter.lock().waiters += 1;
            self.waiting = Some(self.meter.emitter.waits());
        }
    }

    pub(crate) fn end(&mut self, outcome: Acquired) {
        self.ended = true;
        if self.waiting.take().is_some() {
            self.meter.lock().waiters -= 1;
        }
        let waited = self.meter.clock.now().saturating_since(self.since);
        self.meter.acquired(outcome, waited);
        trace::acquired(&self.span, outcome, waited);
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Acquired::Cancelled);
        }
    }
}
