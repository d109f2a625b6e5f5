//! The meters of each name in this process, whatever their clients: a minimum cannot be added up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use crate::meter::Meter;
use crate::name::Name;

type Names = BTreeMap<Name, Vec<Weak<Meter>>>;

static NAMES: Mutex<Names> = Mutex::new(Names::new());

pub(crate) fn join(name: &Name, meter: &Arc<Meter>) {
    lock().entry(name.clone()).or_default().push(Arc::downgrade(meter));
}

/// A meter of this name is gone.
pub(crate) fn leave(name: &Name) {
    let mut names = lock();
    let Some(meters) = names.get_mut(name) else { return };
    meters.retain(|meter| meter.strong_count() > 0);
    if meters.is_empty() {
        names.remove(name);
    }
}

/// The time that is left to the live lease that ends first, each by the clock of its client.
pub(crate) fn remaining(name: &Name) -> Option<Duration> {
    // Outside of the lock: the last handle of a meter may be dropped here, and leaves.
    let meters: Vec<Arc<Meter>> = lock().get(name)?.iter().filter_map(Weak::upgrade).collect();
    meters.iter().filter_map(|meter| meter.lease_remaining_min()).min()
}

fn lock() -> MutexGuard<'static, Names> {
    NAMES.lock().unwrap_or_else(PoisonError::into_inner)
}
