//! What the semaphores guard: it refuses what is older than the newest owner of a slot.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use semafence::{Fence, FencingToken};

use crate::sync::lock;

/// The guarded resources, one for each name; clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Resource(Arc<Mutex<BTreeMap<String, Fence>>>);

impl Resource {
    /// Whether a write is admitted.
    pub(super) fn write(&self, name: &str, slot: u32, token: FencingToken) -> bool {
        let mut fences = lock(&self.0);
        fences.entry(name.to_owned()).or_default().admit(slot, token).is_ok()
    }
}
