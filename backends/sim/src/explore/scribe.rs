//! Writes down what the tasks of a run do.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::history::{Op, Recorder, What};

/// A recorder and the clock of its history; clones write into the same one.
#[derive(Clone)]
pub struct Scribe {
    recorder: Recorder,
    now: Arc<dyn Fn() -> Duration + Send + Sync>,
}

impl Scribe {
    /// A scribe that reads the time since the start of the history from `now`.
    pub fn new(recorder: Recorder, now: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self {
            recorder,
            now: Arc::new(now),
        }
    }

    /// Writes down that something happens now.
    pub fn add(&self, what: What) {
        self.recorder.add((self.now)(), what);
    }

    /// The number of a new acquisition.
    #[must_use]
    pub fn next_op(&self) -> Op {
        self.recorder.next_op()
    }
}

impl fmt::Debug for Scribe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scribe").finish_non_exhaustive()
    }
}
