//! Counting, by the names of [`tokio::sync::Semaphore`].

use futures::future::join_all;

use crate::backend::LockBackend;
use crate::clock::Clock;
use crate::error::Error;
use crate::held::Held;
use crate::semaphore::Semaphore;
use crate::status::Status;

impl<B: LockBackend, C: Clock> Semaphore<B, C> {
    /// How many permits are free at this moment, by the backend's clock: the [limit in force](Self::limit) less what live
    /// holders of any process have; zero where a limit that was lowered is exceeded. Changes nothing.
    ///
    /// The answer ages: [`try_acquire`](Self::try_acquire) is the way to take one only if it is free. While others are
    /// queued, what is free is theirs.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn available_permits(&self) -> Result<u32, Error> {
        let status = self.status().await?;
        let used = u32::try_from(status.used()).unwrap_or(u32::MAX);
        Ok(self.limit_by(&status).saturating_sub(used))
    }

    /// The limit in force for this handle: the one that [`resize`](Self::resize) or [`add_permits`](Self::add_permits)
    /// stored, else [`Config::limit`](crate::Config::limit). Changes nothing.
    ///
    /// # Errors
    ///
    /// As [`status`](Self::status).
    pub async fn limit(&self) -> Result<u32, Error> {
        Ok(self.limit_by(&self.status().await?))
    }

    fn limit_by(&self, status: &Status) -> u32 {
        status.limit_override.unwrap_or(self.terms.config.limit)
    }

    /// Stores a limit that wins over every program's own, or clears it with `None`; answers with the one before. Raising
    /// it serves waiters at once; lowering it interrupts nobody: the number of holders shrinks as they finish.
    ///
    /// [`acquire_many`](Self::acquire_many) accepts up to [`Config::limit`](crate::Config::limit) permits all the same.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `limit` outside 1–65,536, before anything is sent; [`Error::Backend`] when the
    /// backend fails, [`Error::Closed`] after the client was closed.
    ///
    /// # Cancel safety
    ///
    /// The limit may have been stored; storing it again is safe.
    pub async fn resize(&self, limit: Option<u32>) -> Result<Option<u32>, Error> {
        self.terms.core.resize(self.name(), limit).await
    }

    /// Adds `permits` to the [limit in force](Self::limit), for all programs, and answers with what that is now. The sum
    /// is stored like a limit that was [resized](Self::resize), and serves waiters at once. Additions of several programs
    /// all count, also those at the same time.
    ///
    /// A permit that is held is given back by its [`Permit`](crate::Permit), not by this: it makes one more.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] with field `permits` outside 1–65,535, before anything is sent, or where the sum would be above
    /// 65,536, which changes nothing. [`Error::Closed`] after the client was closed. [`Error::Backend`] when the backend
    /// fails: it has been tried for 6 s, each time as the same addition, which counts once. Where its outcome is
    /// [`Unknown`](crate::Outcome::Unknown) the permits may have been added, or may be until a minute later; another call
    /// would be another addition, so look at [`limit`](Self::limit) first.
    ///
    /// # Cancel safety
    ///
    /// The permits may have been added or not; nothing tells.
    pub async fn add_permits(&self, permits: u32) -> Result<u32, Error> {
        let own = self.terms.config.limit;
        self.terms.core.add_permits(self.name(), own, permits).await
    }

    /// Gives back `permits` of those that this client has acquired under this name, with any handle, and has
    /// [forgotten](crate::Permit::forget); the oldest first. Waits until the backend has confirmed it.
    ///
    /// For code that counts permits instead of passing guards around: acquire and forget here, release there.
    ///
    /// # Examples
    ///
    /// ```
    /// # semafence_sim::run(1, |sim| async move {
    /// # let client = sim.client();
    /// let slots = client.semaphore("slots", 3).build()?;
    /// slots.acquire().await?.forget();
    /// slots.acquire().await?.forget();
    /// assert_eq!(slots.available_permits().await?, 1);
    ///
    /// slots.release_many(2).await?;
    /// assert_eq!(slots.available_permits().await?, 3);
    /// let error = slots.release_many(1).await.unwrap_err();
    /// assert_eq!(error.to_string(), "cannot release 1 of slots, of which 0 are held and forgotten");
    /// # Ok::<(), semafence::Error>(())
    /// # })?;
    /// # Ok::<(), semafence::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Before anything is released: [`Error::OverRelease`] where fewer are held and forgotten; [`Error::Config`] with
    /// field `permits` for zero, and where permits that were acquired together would have to be torn apart;
    /// [`Error::Closed`] after the client was closed. Afterwards, as [`Permit::release`](crate::Permit::release), the
    /// first of those that occurred: the others have been given back, and the keeper goes on giving back the rest.
    ///
    /// # Cancel safety
    ///
    /// All of them are given back in the background.
    pub async fn release_many(&self, permits: u32) -> Result<(), Error> {
        let core = &self.terms.core;
        core.check_open()?;
        let held = core.forgotten.take(self.name(), permits)?;
        let releases = held.into_iter().map(|kept| Held::again(core, kept).release());
        let released: Result<Vec<_>, Error> = join_all(releases).await.into_iter().collect();
        released.map(drop)
    }
}
