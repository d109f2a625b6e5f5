//! What a client has done so far, as plain data.

use std::time::Duration;

use crate::backend::Standing;
use crate::error::{Error, LossReason};
use crate::failure::BackendError;
use crate::fence::FencingToken;
use crate::name::Name;

/// What a client has done since it was built, and how it stands at this moment. Of this client alone: what other
/// clients and processes hold is in [`Status`](crate::Status).
///
/// # Examples
///
/// ```
/// semafence_sim::run(1, |sim| async move {
///     let client = sim.client();
///     let printers = client.semaphore("printers", 3).build()?;
///     let permit = printers.acquire().await?;
///
///     let stats = client.stats();
///     assert_eq!((stats.names[0].held, stats.names[0].waiters), (1, 0));
///     assert_eq!(stats.total.acquires.granted, 1);
///     assert_eq!(stats.backend_up, Some(true));
///     permit.release().await
/// })?;
/// # Ok::<(), semafence::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// The names of this client, in their order: each that has a handle or a permit; of those that had one a thousand at
    /// most, after which they are let go.
    pub names: Vec<NameStats>,
    /// All names together, also those that are no longer listed.
    pub total: Counts,
    /// Each verb of the backend.
    pub commands: Vec<CommandStats>,
    /// Whether the backend answered the last command: `false` after one that failed in a way that may pass (no
    /// connection, no answer in time, a server that cannot serve), `None` before the first.
    pub backend_up: Option<bool>,
    /// How often a connection that was lost led to another server than before, or to the same one started anew, when it was
    /// there again. Of the keeper's connection, which is watched from the first permit of this client on.
    pub failovers: u64,
}

/// One name, as one client uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NameStats {
    /// The name, as declared.
    pub name: Name,
    /// The limit in force at the latest grant; before the first, as configured.
    pub limit: u32,
    /// Slots that permits of this client hold.
    pub held: u64,
    /// Acquires of this client that found no permit free and wait for one.
    pub waiters: u64,
    /// The highest token that this client was granted.
    pub token: Option<FencingToken>,
    /// The time that is left to the live permit that ends first unless it is refreshed, by the local clock; `None`
    /// where none is held.
    pub lease_remaining_min: Option<Duration>,
    /// What was done.
    pub counts: Counts,
}

/// How often what was done, and how long it took, by the client's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Counts {
    /// Acquires, by what they came to.
    pub acquires: AcquireCounts,
    /// From asking until the permit was there, of the acquires that were granted.
    pub wait: Timing,
    /// From the grant until the permit was released, dropped or lost.
    pub hold: Timing,
    /// Refreshes of permits, by what they came to.
    pub refreshes: RefreshCounts,
    /// Permits that were lost, by the reason.
    pub losses: LossCounts,
    /// Permits, by how their holder parted with them.
    pub releases: ReleaseCounts,
    /// Claims that were given back in the background, by what became of them.
    pub returns: ReturnCounts,
    /// Grants whose token was not above the highest that the client knew before it asked: the backend has gone back.
    pub token_regressions: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: &Self) {
        self.acquires.add(&other.acquires);
        self.wait.add(&other.wait);
        self.hold.add(&other.hold);
        self.refreshes.add(&other.refreshes);
        self.losses.add(&other.losses);
        self.releases.add(&other.releases);
        self.returns.add(&other.returns);
        self.token_regressions += other.token_regressions;
    }
}

/// How often something was measured, and how long it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub struct Timing {
    /// How often.
    pub count: u64,
    /// How long in all.
    pub total: Duration,
    /// How long the longest took.
    pub max: Duration,
}

impl Timing {
    /// How long it took on average; zero where there was none.
    #[must_use]
    pub fn mean(&self) -> Duration {
        let nanos = self.total.as_nanos().checked_div(u128::from(self.count));
        nanos.map_or(Duration::ZERO, |nanos| {
            Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
        })
    }

    pub(crate) fn record(&mut self, took: Duration) {
        self.add(&Self {
            count: 1,
            total: took,
            max: took,
        });
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.total = self.total.saturating_add(other.total);
        self.max = self.max.max(other.max);
    }
}

/// One verb of the backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct CommandStats {
    /// The method of [`LockBackend`](crate::LockBackend).
    pub verb: &'static str,
    /// Calls that succeeded.
    pub ok: Timing,
    /// Calls that failed, also for want of an answer in time. A call that its caller dropped before is in neither.
    pub error: Timing,
}

/// Counts by outcome: a field for each, whose name is also the label of the metric.
macro_rules! counts {
    ($(#[$doc:meta])* $counts:ident of $outcome:ident { $($(#[$field_doc:meta])* $field:ident: $variant:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
        #[non_exhaustive]
        pub struct $counts {
            $($(#[$field_doc])* pub $field: u64,)+
        }

        impl $counts {
            /// All of them.
            #[must_use]
            pub fn total(&self) -> u64 {
                [$(self.$field),+].iter().sum()
            }

            pub(crate) fn count(&mut self, outcome: $outcome) {
                match outcome {
                    $($outcome::$variant => self.$field += 1,)+
                }
            }

            fn add(&mut self, other: &Self) {
                $(self.$field += other.$field;)+
            }
        }

        // Where release and return are the usual outcome of one, they are called by that name.
        #[allow(clippy::enum_variant_names)]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum $outcome {
            $($variant,)+
        }

        impl $outcome {
            pub(crate) const LABELS: &[&str] = &[$(stringify!($field)),+];

            #[allow(dead_code)] // Not every outcome is told by its label.
            pub(crate) fn label(self) -> &'static str {
                Self::LABELS[self as usize]
            }
        }
    };
}

counts! {
    /// Acquires by what they came to; each that was begun is in one field, once it has ended.
    AcquireCounts of Acquired {
        /// A permit was granted.
        granted: Granted,
        /// Nothing was free, and the caller did not want to wait.
        busy: Busy,
        /// The acquire timeout passed while all permits were taken.
        timed_out: TimedOut,
        /// The caller dropped the future.
        cancelled: Cancelled,
        /// The backend failed for good, or until the timeout.
        failed: Failed,
        /// Too many waited already.
        queue_full: QueueFull,
        /// An operator removed the waiter.
        removed: Removed,
        /// More permits were asked for than the limit in force.
        oversized: Oversized,
        /// The client was closed meanwhile.
        closed: Closed,
        /// Too few replicas confirmed the grant, which was given back.
        unacknowledged: Unacknowledged,
    }
}

counts! {
    /// Refreshes of permits by what they came to, one for each permit in a call. Answers that came after the permit
    /// was released are not counted.
    RefreshCounts of Refreshed {
        /// The lease was extended.
        held: Held,
        /// No answer, or a failure that may pass: tried again until the lease ends.
        failed: Failed,
        /// A failure that does not pass: the permit is lost.
        refused: Refused,
        /// An operator had taken the permit.
        forced: Forced,
        /// The backend knows nothing of the permit any more.
        forgotten: Forgotten,
    }
}

counts! {
    /// Losses by their [reason](crate::LossReason); as many as [`on_lost`](crate::ClientBuilder::on_lost) is called.
    LossCounts of Lost {
        /// The client was closed while the permit was out.
        closed: Closed,
        /// No refresh got through before the lease ended.
        expired: Expired,
        /// An operator released it by force.
        forced: Forced,
        /// The backend knew nothing of it any more.
        forgotten: Forgotten,
        /// The backend refused to refresh it.
        refused: Refused,
    }
}

counts! {
    /// Permits by how their holder parted with them; each is in one field, once it is gone.
    ReleaseCounts of Released {
        /// [`release`](crate::Permit::release), and the backend confirmed that it was held until then.
        released: Released,
        /// Dropped without a release; given back in the background.
        dropped: Dropped,
        /// Released or dropped after it had been lost.
        lost: Lost,
        /// `release` failed; given back in the background.
        failed: Failed,
        /// The future of `release` was dropped; given back in the background.
        cancelled: Cancelled,
    }
}

counts! {
    /// What was given back in the background, permits and cancelled acquires alike.
    ReturnCounts of Returned {
        /// The backend has confirmed it.
        returned: Returned,
        /// It was tried for one ttl in vain, or the backend refused; it ends with its ttl.
        abandoned: Abandoned,
    }
}

impl Acquired {
    /// What an acquire came to that answered with a permit, or without.
    pub(crate) fn of(granted: Result<bool, &Error>) -> Self {
        match granted {
            Ok(true) => Self::Granted,
            Ok(false) => Self::Busy,
            Err(Error::TimedOut { .. }) => Self::TimedOut,
            Err(Error::Backend { .. } | Error::Lost { .. } | Error::OverRelease { .. }) => Self::Failed,
            Err(Error::QueueFull { .. }) => Self::QueueFull,
            Err(Error::Removed { .. }) => Self::Removed,
            Err(Error::Config { .. }) => Self::Oversized,
            Err(Error::Closed) => Self::Closed,
            Err(Error::Unacknowledged { .. }) => Self::Unacknowledged,
        }
    }
}

impl Released {
    /// What a release came to.
    pub(crate) fn of(released: &Result<Standing, Error>) -> Self {
        match released {
            Ok(Standing::Held | Standing::Waiting) => Self::Released,
            Ok(Standing::Absent | Standing::Forced) => Self::Lost,
            Err(_) => Self::Failed,
        }
    }
}

impl Refreshed {
    pub(crate) fn of(answer: &Result<Standing, BackendError>) -> Self {
        match answer {
            Ok(Standing::Held) => Self::Held,
            Ok(Standing::Forced) => Self::Forced,
            Ok(Standing::Absent | Standing::Waiting) => Self::Forgotten,
            Err(error) if error.is_transient() => Self::Failed,
            Err(_) => Self::Refused,
        }
    }
}

impl From<LossReason> for Lost {
    fn from(reason: LossReason) -> Self {
        match reason {
            LossReason::Closed => Self::Closed,
            LossReason::Expired => Self::Expired,
            LossReason::Forced => Self::Forced,
            LossReason::Forgotten => Self::Forgotten,
            LossReason::Refused => Self::Refused,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_of_nothing_is_nothing() {
        let mut timing = Timing::default();
        assert_eq!(timing.mean(), Duration::ZERO);

        timing.record(Duration::from_millis(1));
        timing.record(Duration::from_millis(4));

        assert_eq!((timing.count, timing.max), (2, Duration::from_millis(4)));
        assert_eq!(timing.mean(), Duration::from_micros(2500));
    }
}
