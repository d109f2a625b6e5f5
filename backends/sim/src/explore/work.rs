//! What all clients of a run work on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use semafence::{Client, Clock, LockBackend};
use tokio::task::JoinHandle;

use super::resource::Resource;
use super::scribe::Scribe;
use super::setting::Setting;
use super::worker::Worker;

/// The work of a run: clients that ask, hold, write to a resource that checks their tokens, and give back. On the
/// simulator or on a real server; what they see goes to a [`Scribe`]. Clones are the same work.
#[derive(Debug, Clone)]
pub struct Work {
    pub(super) seed: u64,
    pub(super) setting: Setting,
    pub(super) scribe: Scribe,
    pub(super) resource: Resource,
    stopped: Arc<AtomicBool>,
}

impl Work {
    /// Work as `setting` describes, with draws that follow from `seed`.
    #[must_use]
    pub fn new(seed: u64, setting: Setting, scribe: Scribe) -> Self {
        Self {
            seed,
            setting,
            scribe,
            resource: Resource::default(),
            stopped: Arc::default(),
        }
    }

    /// Lets a client process begin, as number `process` of the history, with as many tasks as the setting says. They
    /// end after [`stop`](Self::stop), once what they have begun is over.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    #[must_use]
    pub fn begin<B: LockBackend, C: Clock>(&self, client: &Client<B, C>, process: u32) -> Vec<JoinHandle<()>> {
        let worker = |task| Worker {
            client: client.clone(),
            process,
            task,
            work: self.clone(),
        };
        (0..self.setting.workers)
            .map(|task| tokio::spawn(worker(task).run()))
            .collect()
    }

    /// Lets nothing new begin.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
