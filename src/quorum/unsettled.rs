//! Ballots that may still arrive.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;

use crate::failure::{BackendError, Outcome};
use crate::holder::HolderId;

/// Of how many ballots it is remembered that nobody knows whether they arrived. Who is lost is never released.
const DOUBTS_MAX: usize = 4096;

/// How many ballots of each holder are on their way to each server, and of which it is not known whether they arrived. A
/// release leaves a tombstone there, or a ballot that arrives behind it would take what nobody gives back.
#[derive(Debug, Default)]
pub(super) struct Unsettled(Mutex<Ballots>);

#[derive(Debug, Default)]
struct Ballots {
    on_their_way: BTreeMap<(HolderId, usize), usize>,
    in_doubt: BTreeSet<(HolderId, usize)>,
    /// Of which a ballot is to be sent again, unless they are released before.
    repeated: BTreeSet<(HolderId, usize)>,
}

/// Counts one ballot until it is dropped.
#[derive(Debug)]
pub(super) struct Settling {
    unsettled: Arc<Unsettled>,
    ballot: (HolderId, usize),
}

impl Unsettled {
    pub(super) fn begin(self: &Arc<Self>, holder: HolderId, server: usize) -> Settling {
        self.begin_with(&mut self.lock(), (holder, server))
    }

    fn begin_with(self: &Arc<Self>, ballots: &mut Ballots, ballot: (HolderId, usize)) -> Settling {
        *ballots.on_their_way.entry(ballot).or_default() += 1;
        Settling {
            unsettled: Arc::clone(self),
            ballot,
        }
    }

    /// A ballot to this server may be sent several times.
    pub(super) fn begin_to_repeat(&self, holder: HolderId, server: usize) {
        self.lock().repeated.insert((holder, server));
    }

    /// Counts the next of these; `None` if the holder was released since they began.
    pub(super) fn repeat(self: &Arc<Self>, holder: HolderId, server: usize) -> Option<Settling> {
        let mut ballots = self.lock();
        let goes_on = ballots.repeated.contains(&(holder, server));
        goes_on.then(|| self.begin_with(&mut ballots, (holder, server)))
    }

    pub(super) fn end_repeating(&self, holder: HolderId, server: usize) {
        self.lock().repeated.remove(&(holder, server));
    }

    /// Whether a ballot may arrive at this server behind the release that now begins.
    pub(super) fn release(&self, holder: HolderId, server: usize) -> bool {
        let mut ballots = self.lock();
        ballots.repeated.remove(&(holder, server));
        let is_in_doubt = ballots.in_doubt.remove(&(holder, server));
        is_in_doubt || ballots.on_their_way.contains_key(&(holder, server))
    }

    fn lock(&self) -> MutexGuard<'_, Ballots> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Settling {
    /// Counts the ballot until it is answered, and remembers it where it is not known whether it arrived.
    pub(super) fn until<T: Send + 'static>(
        self,
        ballot: BoxFuture<'static, Result<T, BackendError>>,
    ) -> BoxFuture<'static, Result<T, BackendError>> {
        Box::pin(async move {
            let answer = ballot.await;
            if answer.as_ref().is_err_and(|error| error.outcome() == Outcome::Unknown) {
                self.doubt();
            }
            answer
        })
    }

    fn doubt(&self) {
        let mut ballots = self.unsettled.lock();
        if ballots.in_doubt.len() >= DOUBTS_MAX {
            ballots.in_doubt.pop_first();
        }
        ballots.in_doubt.insert(self.ballot);
    }
}

impl Drop for Settling {
    fn drop(&mut self) {
        let mut ballots = self.unsettled.lock();
        let count = ballots
            .on_their_way
            .get_mut(&self.ballot)
            .expect("what was begun is counted");
        *count -= 1;
        if *count == 0 {
            ballots.on_their_way.remove(&self.ballot);
        }
    }
}
