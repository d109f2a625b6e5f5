//! A kept lease and the way back: what a permit holds.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use crate::backend::Standing;
use crate::call::{at, in_time};
use crate::core::Core;
use crate::error::{Error, LossReason};
use crate::failure::{BackendError, Outcome};
use crate::forgotten::Kept;
use crate::keeper::Keeper;
use crate::lease::{End, Lease};
use crate::meter::sample_leases;
use crate::stats::{Refreshed, Released};
use crate::trace;

/// The pause before a release that failed is sent again.
const RETRY: Duration = Duration::from_millis(10);

/// A kept lease; dropping it gives it back.
pub(crate) struct Held {
    tie: Tie,
    given_back: bool,
    /// How it would be parted with if it were dropped now; `None` if it goes on without this.
    parting: Option<Released>,
}

/// A lease and the client that keeps it. Clones share both, and give nothing back.
#[derive(Clone)]
pub(crate) struct Tie {
    pub(crate) core: Arc<Core>,
    pub(crate) lease: Arc<Lease>,
    strict: bool,
}

impl Held {
    pub(crate) fn new(core: Arc<Core>, lease: Arc<Lease>, strict: bool) -> Self {
        Self {
            tie: Tie { core, lease, strict },
            given_back: false,
            parting: Some(Released::Dropped),
        }
    }

    /// A lease that was forgotten has a guard again.
    pub(crate) fn again(core: &Arc<Core>, kept: Kept) -> Self {
        Self::new(Arc::clone(core), kept.lease, kept.strict)
    }

    /// The lease goes on being kept, unless it is over.
    pub(crate) fn forget(mut self) {
        if self.lease.is_held() {
            self.parting = None;
            self.core.forgotten.add(Kept {
                lease: Arc::clone(&self.lease),
                strict: self.strict,
            });
        }
    }

    pub(crate) async fn release(mut self) -> Result<Standing, Error> {
        let end = self.lease.end(End::Released);
        self.core.keeper.forget(self.lease.claim.holder);
        if let End::Lost(reason) = end {
            // Dropping gives back what the backend may still hold.
            return self.was_lost(reason);
        }
        self.parting = Some(Released::Cancelled);
        let standing = self.try_to_release().await;
        self.parting = Some(Released::of(&standing));
        let standing = standing?;
        self.given_back = true;
        match standing {
            Standing::Held | Standing::Waiting => Ok(Standing::Held),
            Standing::Forced => self.was_lost(LossReason::Forced),
            Standing::Absent => self.was_lost(LossReason::Forgotten),
        }
    }
}

impl Deref for Held {
    type Target = Tie;

    fn deref(&self) -> &Tie {
        &self.tie
    }
}

impl Tie {
    /// Fails if the lease is lost.
    pub(crate) fn check(&self) -> Result<(), Error> {
        match self.lease.ending() {
            Some(End::Lost(reason)) => Err(self.lost_error(reason)),
            _ => Ok(()),
        }
    }

    pub(crate) async fn refresh(&self) -> Result<Standing, Error> {
        if let Some(End::Lost(reason)) = self.lease.ending() {
            return self.was_lost(reason);
        }
        let standing = self.ask_for_more().await;
        sample_leases(std::iter::once(&self.lease.meter));
        standing
    }

    async fn ask_for_more(&self) -> Result<Standing, Error> {
        let asked_at = self.core.clock.now();
        let claim = at(&self.lease.claim, self.core.clock.wall());
        let claims = [claim];
        self.lease.asking();
        let answer = self.answer(self.core.backend.refresh(&claims)).await;
        let answer = answer.and_then(|mut answers| match answers.pop() {
            Some(answer) => answer,
            None => Err(BackendError::timed_out(claims[0].timeout())),
        });
        self.lease.asked(&answer);
        self.lease.meter.refreshed(Refreshed::of(&answer));
        match answer.map_err(|error| Error::backend("refresh", &self.lease.claim.name, error))? {
            Standing::Held => {
                self.lease.extend(asked_at);
                match self.lease.ending() {
                    Some(End::Lost(reason)) => self.was_lost(reason),
                    _ => Ok(Standing::Held),
                }
            }
            standing => {
                let reason = if standing == Standing::Forced {
                    LossReason::Forced
                } else {
                    LossReason::Forgotten
                };
                self.lease.end(End::Lost(reason));
                self.core.keeper.forget(self.lease.claim.holder);
                self.was_lost(reason)
            }
        }
    }

    /// Releases, and does so again after a transient failure for as long as three operations may take: sending it twice is
    /// safe. Where an earlier copy went unanswered and nothing is found, that copy has given it back.
    async fn try_to_release(&self) -> Result<Standing, Error> {
        let clock = &self.core.clock;
        let give_up_at = clock.now() + self.lease.claim.timeout() * 3;
        let mut unanswered = false;
        loop {
            let claim = at(&self.lease.claim_to_release(), clock.wall());
            let answer = self.answer(self.core.backend.release(&claim)).await;
            match answer.and_then(|answer| answer) {
                Ok(Standing::Absent) if unanswered => return Ok(Standing::Held),
                Ok(standing) => return Ok(standing),
                Err(error) if error.is_transient() && clock.now() + RETRY < give_up_at => {
                    unanswered |= error.outcome() == Outcome::Unknown;
                    clock.sleep_until(clock.now() + RETRY).await;
                }
                Err(error) => return Err(Error::backend("release", &claim.name, error)),
            }
        }
    }

    async fn answer<T>(&self, call: impl Future<Output = T>) -> Result<T, BackendError> {
        in_time(&*self.core.clock, self.lease.claim.timeout(), call).await
    }

    fn was_lost(&self, reason: LossReason) -> Result<Standing, Error> {
        match reason {
            _ if self.strict => Err(self.lost_error(reason)),
            LossReason::Forced => Ok(Standing::Forced),
            _ => Ok(Standing::Absent),
        }
    }

    pub(crate) fn lost_error(&self, reason: LossReason) -> Error {
        Error::Lost {
            name: self.lease.claim.name.clone(),
            token: self.lease.grant.token,
            reason,
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let Some(parting) = self.parting else { return };
        if self.given_back {
            self.lease.end(End::Released);
            parted(&self.lease, parting);
        } else {
            let_go(&self.core.keeper, &self.lease, parting);
        }
    }
}

/// Parts with a lease, and gives back what the backend may still hold.
pub(crate) fn let_go(keeper: &Keeper, lease: &Lease, parting: Released) {
    let end = lease.end(End::Released);
    let parting = match end {
        End::Lost(_) => Released::Lost,
        End::Released => parting,
    };
    parted(lease, parting);
    keeper.forget(lease.claim.holder);
    match end {
        // The backend has said that it is gone, or the keeper is giving it back.
        End::Lost(LossReason::Closed | LossReason::Forced | LossReason::Forgotten) => {}
        End::Lost(_) | End::Released => keeper.give_back(lease.claim_to_release()),
    }
}

fn parted(lease: &Lease, how: Released) {
    lease.meter.released(how);
    trace::released(lease, how);
}
