//! Permits without a guard: kept until they are released by number, or until their client is closed or gone.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::Error;
use crate::held::let_go;
use crate::keeper::Keeper;
use crate::lease::Lease;
use crate::name::Name;
use crate::stats::Released;

/// With fewer of a name, nobody looks for those that were lost.
const TIDY_MIN: usize = 64;

/// The forgotten permits of a client. Dropped with its last handle, it gives them back.
pub(crate) struct Forgotten {
    keeper: Arc<Keeper>,
    names: Mutex<BTreeMap<Name, Shelf>>,
}

/// Of one name, in the order in which they were forgotten.
#[derive(Default)]
struct Shelf {
    kept: Vec<Kept>,
    /// With so many, those that were lost are put away.
    tidy_at: usize,
}

/// A lease that nobody holds a guard of.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) lease: Arc<Lease>,
    pub(crate) strict: bool,
}

impl Forgotten {
    pub(crate) fn new(keeper: &Arc<Keeper>) -> Self {
        Self {
            keeper: Arc::clone(keeper),
            names: Mutex::default(),
        }
    }

    pub(crate) fn add(&self, kept: Kept) {
        let name = kept.lease.claim.name.clone();
        let lost = {
            let mut names = self.lock();
            let shelf = names.entry(name).or_default();
            shelf.kept.push(kept);
            if shelf.kept.len() < shelf.tidy_at.max(TIDY_MIN) {
                return;
            }
            shelf.tidy()
        };
        self.let_go(lost);
    }

    /// Takes `permits`, the oldest first, all or none.
    pub(crate) fn take(&self, name: &Name, permits: u32) -> Result<Vec<Kept>, Error> {
        if permits == 0 {
            return Err(Error::config(
                "permits",
                "is 0, not within 1 to those that are held and forgotten",
            ));
        }
        let (lost, taken) = {
            let mut names = self.lock();
            let shelf = names.entry(name.clone()).or_default();
            let lost = shelf.tidy();
            let taken = shelf.take(name, permits);
            if shelf.kept.is_empty() {
                names.remove(name);
            }
            (lost, taken)
        };
        self.let_go(lost);
        taken
    }

    /// Outside of the lock: it tells the keeper and the meters.
    fn let_go(&self, kept: Vec<Kept>) {
        for kept in kept {
            let_go(&self.keeper, &kept.lease, Released::Dropped);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Name, Shelf>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    /// Those that are over.
    fn tidy(&mut self) -> Vec<Kept> {
        let (held, lost) = self.kept.drain(..).partition(|kept| kept.lease.is_held());
        self.kept = held;
        self.tidy_at = self.kept.len() * 2;
        lost
    }

    fn take(&mut self, name: &Name, permits: u32) -> Result<Vec<Kept>, Error> {
        let held: u32 = self.kept.iter().map(|kept| kept.lease.claim.weight).sum();
        if held < permits {
            return Err(Error::OverRelease {
                name: name.clone(),
                permits,
                held,
            });
        }
        let mut left = permits;
        let fits: Vec<bool> = self.kept.iter().map(|kept| fits(kept, &mut left)).collect();
        if left > 0 {
            let reason = format!("is {permits}, and permits that were acquired together go back together");
            return Err(Error::config("permits", reason));
        }
        let mut fits = fits.into_iter();
        let (taken, stays) = self.kept.drain(..).partition(|_| fits.next() == Some(true));
        self.kept = stays;
        Ok(taken)
    }
}

fn fits(kept: &Kept, left: &mut u32) -> bool {
    let rest = left.checked_sub(kept.lease.claim.weight);
    *left = rest.unwrap_or(*left);
    rest.is_some()
}

impl Drop for Forgotten {
    fn drop(&mut self) {
        let names = std::mem::take(&mut *self.lock());
        self.let_go(names.into_values().flat_map(|shelf| shelf.kept).collect());
    }
}

impl fmt::Debug for Forgotten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept: usize = self.lock().values().map(|shelf| shelf.kept.len()).sum();
        f.debug_struct("Forgotten").field("kept", &kept).finish_non_exhaustive()
    }
}
