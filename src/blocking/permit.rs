//! The guard for threads.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::wait;
use crate::backend::Standing;
use crate::error::{Error, LossReason};
use crate::fence::FencingToken;
use crate::holder::HolderId;
use crate::name::Name;
use crate::permit::OwnedPermit;

/// The right to be inside, for a thread: see [`semafence::Permit`](crate::Permit) for what it means, and when it is
/// lost.
///
/// Dropping it gives it back in the background; it never blocks.
#[derive(Debug)]
#[must_use = "a permit that is not kept is given back at once"]
pub struct Permit(OwnedPermit);

macro_rules! as_the_async_one {
    ($($(#[$doc:meta])* $name:ident -> $type:ty;)+) => {
        impl Permit {
            $($(#[$doc])* #[must_use] pub fn $name(&self) -> $type { self.0.$name() })+
        }
    };
}

as_the_async_one! {
    /// The semaphore.
    name -> &Name;
    /// Who holds it: the id that `status` shows.
    holder -> HolderId;
    /// The fencing token, to be presented together with the slot.
    token -> FencingToken;
    /// The slot; of a weighted permit the lowest.
    slot -> u32;
    /// All slots, in ascending order.
    slots -> &[u32];
    /// The limit that was in force when this permit was granted.
    limit -> u32;
    /// The limit of the grant before this one, where it was another.
    other_limit -> Option<u32>;
    /// Whether the lease still holds by the local clock at this moment. The answer ages; that is what the token is for.
    is_held -> bool;
    /// Time until the lease ends on the local clock unless it is refreshed; zero once it is over.
    remaining -> Duration;
    /// The span `hold`, from the grant until the permit is over: see [`span`](crate::Permit::span).
    span -> &tracing::Span;
    /// A token that is cancelled when the permit is lost. Cancelling it does nothing to the permit.
    cancellation_token -> CancellationToken;
}

impl Permit {
    pub(super) fn new(permit: OwnedPermit) -> Self {
        Self(permit)
    }

    /// Sleeps until the permit is lost; for ever if it is not.
    ///
    /// # Errors
    ///
    /// As the [module](super) says, and no others.
    #[track_caller]
    pub fn lost(&self) -> Result<LossReason, Error> {
        let tie = self.0.tie().clone();
        wait(self.0.tie().core.runtime()?, async move { Ok(tie.lease.lost().await) })
    }

    /// Sleeps until the permit is lost, for at most `timeout` on the local clock; `None` if it is not lost by then.
    ///
    /// # Errors
    ///
    /// As the [module](super) says, and no others.
    #[track_caller]
    pub fn lost_timeout(&self, timeout: Duration) -> Result<Option<LossReason>, Error> {
        let tie = self.0.tie().clone();
        wait(self.0.tie().core.runtime()?, async move {
            let clock = &tie.core.clock;
            tokio::select! {
                biased;
                reason = tie.lease.lost() => Ok(Some(reason)),
                () = clock.sleep_until(clock.now() + timeout) => Ok(None),
            }
        })
    }

    /// Runs `work` in this thread, and looks at the permit before and after. A loss cannot stop a thread: long work asks
    /// [`is_held`](Self::is_held) between its steps.
    ///
    /// # Errors
    ///
    /// [`Error::Lost`] when the permit was lost before `work` completed; it may have been done in part, or whole.
    pub fn run<T>(&self, work: impl FnOnce(&Self) -> T) -> Result<T, Error> {
        self.0.tie().check()?;
        let output = work(self);
        self.0.tie().check()?;
        Ok(output)
    }

    /// Refreshes the lease now, besides the refreshes in the background; afterwards it lasts one ttl again.
    ///
    /// # Errors
    ///
    /// As [`refresh`](crate::Permit::refresh).
    #[track_caller]
    pub fn refresh(&self) -> Result<Standing, Error> {
        let tie = self.0.tie().clone();
        wait(self.0.tie().core.runtime()?, async move { tie.refresh().await })
    }

    /// Gives the permit back and waits until the backend has confirmed it. Answers [`Standing::Held`] if it was held
    /// until now.
    ///
    /// # Errors
    ///
    /// As [`release`](crate::Permit::release).
    #[track_caller]
    pub fn release(self) -> Result<Standing, Error> {
        self.0.blocking_release()
    }

    /// Lets go of the guard and keeps the permit until [`release_many`](super::Semaphore::release_many): see
    /// [`forget`](crate::Permit::forget).
    pub fn forget(self) {
        self.0.forget();
    }

    /// The same permit for async code.
    pub fn into_async(self) -> OwnedPermit {
        self.0
    }
}
