//! The guard: the right to be inside, until it is released, dropped or lost.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::backend::Standing;
use crate::blocking::wait;
use crate::error::{Error, LossReason};
use crate::fence::FencingToken;
use crate::held::{Held, Tie};
use crate::holder::HolderId;
use crate::lease::Lease;
use crate::name::Name;

/// A permit that does not borrow its semaphore.
pub type OwnedPermit = Permit<'static>;

/// The right to be inside: one or more slots of a semaphore, kept alive in the background.
///
/// A permit is over when it is released, dropped, or **lost**: when its lease ended before a refresh got through, the
/// backend forgot it, or an operator took it. Loss is final. What it guards should ask for [`token`](Self::token) and
/// [`slot`](Self::slot) and refuse stale ones (see [`Fence`](crate::Fence)): a process can be paused at any point, and
/// wakes up believing that it still holds.
///
/// Dropping a permit gives it back in the background; it never blocks and needs no runtime.
#[must_use = "a permit that is not kept is given back at once"]
pub struct Permit<'a> {
    held: Held,
    semaphore: PhantomData<&'a ()>,
}

impl Permit<'_> {
    pub(crate) fn new(held: Held) -> Self {
        Self {
            held,
            semaphore: PhantomData,
        }
    }

    /// Cuts the tie to the semaphore.
    pub fn into_owned(self) -> OwnedPermit {
        Permit::new(self.held)
    }

    /// The semaphore.
    #[must_use]
    pub fn name(&self) -> &Name {
        &self.lease().claim.name
    }

    /// Who holds it: the id that `status` shows.
    #[must_use]
    pub fn holder(&self) -> HolderId {
        self.lease().claim.holder
    }

    /// The fencing token, to be presented together with the slot. One for all slots of a weighted permit.
    #[must_use]
    pub fn token(&self) -> FencingToken {
        self.lease().grant.token
    }

    /// The slot; of a weighted permit the lowest.
    #[must_use]
    pub fn slot(&self) -> u32 {
        self.slots()[0]
    }

    /// All slots, in ascending order; as many as permits were asked for.
    #[must_use]
    pub fn slots(&self) -> &[u32] {
        &self.lease().grant.slots
    }

    /// The limit that was in force when this permit was granted.
    #[must_use]
    pub fn limit(&self) -> u32 {
        self.lease().grant.limit
    }

    /// The limit of the grant before this one, where it was another: two programs disagree, and each is granted by its
    /// own.
    #[must_use]
    pub fn other_limit(&self) -> Option<u32> {
        self.lease().grant.other_limit
    }

    /// How many replicas had the grant when it was returned, where [`Config::acks`](crate::Config::acks) asks for that;
    /// otherwise 0, and nobody knows.
    #[must_use]
    pub fn acks(&self) -> u32 {
        let acknowledgement = self.lease().acknowledgement;
        acknowledgement.map_or(0, |acknowledgement| acknowledgement.replicas)
    }

    /// The configuration epoch of Sentinel in which those replicas followed the server that granted; `None` where that is
    /// not known, or [`Config::acks`](crate::Config::acks) asks for none. It counts failovers.
    #[must_use]
    pub fn epoch(&self) -> Option<u64> {
        self.lease().acknowledgement?.epoch
    }

    /// Whether the lease still holds by the local clock at this moment. The answer ages: another may hold by the time
    /// it is used, which is what the token is for.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.lease().is_held()
    }

    /// Time until the lease ends on the local clock unless it is refreshed; zero once it is over.
    #[must_use]
    pub fn remaining(&self) -> Duration {
        self.lease().remaining()
    }

    /// Completes when the permit is lost; never if it is not.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn lost(&self) -> LossReason {
        self.lease().lost().await
    }

    /// Completes when less than a third of the ttl is left because refreshes fail, or the permit is lost: time to wrap
    /// up. With a `refresh_interval` above two thirds of the ttl that is so before each refresh.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the future is dropped.
    pub async fn at_risk(&self) {
        self.lease().at_risk().await;
    }

    /// A token that is cancelled when the permit is lost. Cancelling it does nothing to the permit.
    #[must_use]
    pub fn cancellation_token(&self) -> CancellationToken {
        self.lease().loss_token()
    }

    /// The span `hold`, from the grant until the permit is over: to instrument the work with it. It is entered nowhere.
    /// Disabled below DEBUG: see [the guide](crate::guide::tracing).
    #[must_use]
    pub fn span(&self) -> &tracing::Span {
        &self.lease().span
    }

    /// Runs `work` while the permit holds: loss drops it at its next await point, and the permit is looked at once more
    /// when it completes.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] when the permit was lost before `work` completed; `work` may have been done in part.
    ///
    /// # Cancel safety
    ///
    /// `work` is dropped together with the future; the permit stays.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Error> {
        let output = tokio::select! {
            biased;
            reason = self.lost() => return Err(self.held.lost_error(reason)),
            output = work => output,
        };
        self.held.check()?;
        Ok(output)
    }

    /// Refreshes the lease now, besides the refreshes in the background; afterwards it lasts one ttl again.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when no answer came: the lease is as it was. [`Error::Lost`] in strict mode when the permit
    /// is lost; otherwise the answer says [`Standing::Absent`] or [`Standing::Forced`].
    ///
    /// # Cancel safety
    ///
    /// The lease may have been refreshed.
    pub async fn refresh(&self) -> Result<Standing, Error> {
        self.held.refresh().await
    }

    /// Gives the permit back and waits until the backend has confirmed it. Answers [`Standing::Held`] if it was held
    /// until now.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] when no answer came for half a ttl (at most 6 s), or trying again cannot help: the
    /// keeper goes on giving it back in the background. [`Error::Lost`] in
    /// strict mode when the permit had been lost; otherwise the answer says so.
    ///
    /// # Cancel safety
    ///
    /// The keeper gives the permit back.
    pub async fn release(self) -> Result<Standing, Error> {
        self.held.release().await
    }

    /// As [`release`](Self::release), for a thread that runs no async code.
    ///
    /// # Errors
    ///
    /// As [`release`](Self::release), and [`Error::Config`] as in [`blocking`](crate::blocking).
    ///
    /// # Panics
    ///
    /// In a thread that is driving async tasks. The permit is given back in the background.
    #[track_caller]
    pub fn blocking_release(self) -> Result<Standing, Error> {
        let runtime = self.held.core.runtime()?.clone();
        wait(&runtime, self.held.release())
    }

    /// Lets go of the guard and keeps the permit: it is refreshed in the background as before, until
    /// [`release_many`](crate::Semaphore::release_many) of any handle of this client and name gives it back.
    ///
    /// Nothing is held for ever: [`Client::close`](crate::Client::close), or dropping the last handle and permit of the
    /// client, gives it back as well; where the process ends without that, it lapses after its ttl. A loss is told as
    /// any other, by [`on_lost`](crate::ClientBuilder::on_lost), and then it is no longer there to be released. To take
    /// permits away for good, lower the limit with [`resize`](crate::Semaphore::resize).
    pub fn forget(self) {
        self.held.forget();
    }

    pub(crate) fn tie(&self) -> &Tie {
        &self.held
    }

    fn lease(&self) -> &Lease {
        &self.held.lease
    }
}

impl fmt::Debug for Permit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit")
            .field("name", self.name())
            .field("token", &self.token())
            .field("slots", &self.slots())
            .field("is_held", &self.is_held())
            .finish_non_exhaustive()
    }
}
