//! The seam to a store that keeps leases, and the few nouns that cross it.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt};

use crate::clock::Timestamp;
use crate::failure::{BackendError, Failure, Outcome};
use crate::fence::FencingToken;
use crate::holder::{HolderId, Inbox};
use crate::name::Name;
use crate::reconnect::Reconnect;
use crate::status::Status;
use crate::vote::{Ballot, Vote};

/// A store that keeps leases. Every verb is atomic, judged by the backend's clock, and safe to send again with the same
/// claim.
///
/// # Contract
///
/// - **Idempotent by holder.** However often and in whatever order the same verb with the same claim arrives, the
///   result is that of one arrival. A claim that was released takes nothing any more for one ttl, even if its acquire
///   arrives later, when the release found nothing or said [`doubtful`](Claim::doubtful).
/// - **At most limit.** The slots of live leases are distinct, and a claim is granted only where its weight fits under
///   the limit in force.
/// - **Expired is gone.** An expired lease is never refreshed, and its slots go to whoever waits. Where claims ask for a
///   [`grace`](Claim::grace), a backend that has forgotten leases grants nothing for that long, and takes them in again.
/// - **Tokens grow** with each grant of a name.
/// - **Additions count once.** Permits that are added raise the limit in force atomically, and a copy with the same id adds
///   nothing for a [while](Addition::KEPT).
/// - **Bounded.** A verb answers within [`Claim::timeout`], or fails with an unknown outcome. A caller may drop the
///   future at any await point; then the outcome is unknown.
#[async_trait]
pub trait LockBackend: Debug + Send + Sync + 'static {
    /// Takes free slots for the claim, joins the queue, or says busy. Asking again for a held claim answers with the
    /// same grant and a fresh lease.
    async fn acquire(&self, claim: &Claim, queueing: Queueing) -> Result<Attempt, BackendError>;

    /// Votes for a claim that wants its slots on a majority of servers, of which this is one: as [`acquire`](Self::acquire),
    /// but for the slots and under the token that the [`ballot`](Ballot) asks for.
    ///
    /// A store that is no single server has no vote.
    async fn vote(&self, claim: &Claim, queueing: Queueing, ballot: &Ballot) -> Result<Vote, BackendError> {
        let (_neither, _counts) = (queueing, ballot);
        let text = format!("this backend has no vote in a quorum, for {}", claim.name);
        Err(BackendError::new(Failure::Permanent, Outcome::NotApplied, text))
    }

    /// Extends live leases to `ttl` from now, many in one round trip; one answer per claim, in order. Never revives an
    /// expired one, nor one under another [`grant`](Claim::grant).
    async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>>;

    /// Gives the slots back, leaves the queue, and hands the permit on or wakes waiters. Idempotent.
    async fn release(&self, claim: &Claim) -> Result<Standing, BackendError>;

    /// Makes sure that replicas have a grant of this store: refreshes the claim, which must name what it was
    /// [granted](Claim::grant), and waits until `replicas` of the server that did so have all that it had then, for at most
    /// `within`. Calls that wait hold up no other verb.
    ///
    /// A store without replicas counts none.
    async fn acknowledge(
        &self,
        claim: &Claim,
        replicas: u32,
        within: Duration,
    ) -> Result<Acknowledgement, BackendError> {
        let (_none_counts, _nothing_to_wait_for) = (replicas, within);
        let answer = self.refresh(std::slice::from_ref(claim)).await.pop();
        let standing = answer.unwrap_or_else(|| Err(BackendError::timed_out(claim.timeout())))?;
        Ok(Acknowledgement {
            standing,
            replicas: 0,
            epoch: None,
        })
    }

    /// Whether another server may take over that does not know the latest grants. If so, claims ask for a
    /// [`grace`](Claim::grace) unless [`Config::failover_grace`](crate::Config::failover_grace) says otherwise.
    fn fails_over(&self) -> bool {
        false
    }

    /// Reads the backend's clock.
    async fn time(&self) -> Result<Timestamp, BackendError>;

    /// Grants and wake-ups for this inbox, all names over one connection. Returns once messages can no longer be
    /// missed. May repeat, may be late, and resumes after a reconnect with [`Wakeup::Missed`]; ends only with the backend.
    async fn notify(&self, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError>;

    /// An item each time a lost connection of this handle is there again, and whether it leads to another server: what was
    /// kept may be forgotten there. Connects by itself, and never ends.
    fn reconnects(&self) -> BoxStream<'static, Reconnect> {
        stream::pending().boxed()
    }

    /// Who holds, who waits, since when. Changes nothing.
    async fn inspect(&self, name: &Name) -> Result<Status, BackendError>;

    /// The names of a namespace that are or lately were in use.
    async fn list(&self, namespace: &str) -> Result<Vec<Name>, BackendError>;

    /// Takes a permit from its holder or a waiter out of the queue, tells its process, and serves whoever waits.
    async fn force_release(&self, name: &Name, holder: HolderId) -> Result<Standing, BackendError>;

    /// Stores a limit that wins over every caller's own, or clears it; answers with the one before.
    async fn resize(&self, name: &Name, limit: Option<u32>) -> Result<Option<u32>, BackendError>;

    /// Raises the limit in force, and stores it as [`resize`](Self::resize) does; serves whoever waits. Idempotent by
    /// [`id`](Addition::id) for at least [`Addition::KEPT`]: a copy adds nothing, and answers with the limit in force.
    async fn add_permits(&self, addition: &Addition) -> Result<Added, BackendError>;

    /// A handle to the same store that shares no I/O with this one: the keeper drives it on its own thread, so that a
    /// blocked or ended runtime of the caller cannot keep a lease from being refreshed.
    fn keeper_handle(&self) -> Arc<dyn LockBackend>;
}

/// What a process asks for.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The semaphore.
    pub name: Name,
    /// Who asks; the idempotency key.
    pub holder: HolderId,
    /// How many permits the caller believes the semaphore has; 1–65,536.
    pub limit: u32,
    /// How many slots are wanted, all or none; 1–limit.
    pub weight: u32,
    /// How long a lease lasts without refresh; 100 ms–24 h, whole milliseconds.
    pub ttl: Duration,
    /// How long a permit handed to a waiter is kept for it before it must have confirmed.
    pub window: Duration,
    /// How long a waiter may be silent before it is taken for dead and skipped.
    pub patience: Duration,
    /// Where grants and wake-ups are sent.
    pub inbox: Inbox,
    /// Free text for operators, at most 1 KiB.
    pub meta: Arc<str>,
    /// The caller's wall clock, where it chose client time; `None` lets the backend's clock judge.
    pub client_time: Option<Timestamp>,
    /// The backend's clock is [stepless](crate::LeaseTime::Stepless) for this name. Not together with `client_time`.
    pub stepless: bool,
    /// An acquire of this claim was sent and not answered, so it may still arrive.
    pub doubtful: bool,
    /// For how long a backend that took over from another, or has lost its data, grants nothing of this name, since others
    /// may still hold what it has forgotten: at least the longest ttl of the name. Zero where nobody asks for that.
    pub grace: Duration,
    /// What it was granted, once it was. A server that forgot the grant may have given the claim another one since, which
    /// nobody knows of: a refresh leaves that alone and answers [`Absent`](Standing::Absent). Within the
    /// [`grace`](Self::grace) nobody else can have been granted the slots: a refresh takes the claim in again.
    pub grant: Option<Arc<Grant>>,
}

impl Claim {
    /// The token of its grant.
    #[must_use]
    pub fn token(&self) -> Option<FencingToken> {
        self.grant.as_ref().map(|grant| grant.token)
    }

    /// How long one verb with this claim may take: ttl/6, at most 2 s.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        operation_timeout(self.ttl)
    }
}

/// How long one verb may take that no lease hurries.
pub(crate) const OPERATION_TIMEOUT_MAX: Duration = Duration::from_secs(2);

/// How long one verb may take for leases of this ttl.
pub(crate) fn operation_timeout(ttl: Duration) -> Duration {
    (ttl / 6).min(OPERATION_TIMEOUT_MAX)
}

/// What to do when no slot is free.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Queueing {
    /// Join the queue; a release hands the permit over in ticket order.
    HandOff,
    /// Say busy.
    Never,
    /// Be woken when a permit may be free, and try again; newcomers may be faster.
    WakeUp,
}

/// The answer to an acquire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attempt {
    /// No slot is free, and the claim does not wait.
    Busy(Busy),
    /// The queue has as many waiters as it may have.
    Full {
        /// How many wait.
        waiters: u32,
    },
    /// The claim was released or forced out before; it takes nothing any more.
    GivenUp,
    /// The claim holds.
    Granted(Grant),
    /// The claim weighs more than the limit in force.
    Oversized {
        /// The limit in force.
        limit: u32,
    },
    /// The claim waits.
    Queued(Queued),
}

/// Why nothing was granted at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Busy {
    /// Slots in use.
    pub used: u32,
    /// Claims that wait.
    pub waiters: u32,
    /// When the next lease or claim window ends, unless it is refreshed.
    pub look_after: Duration,
    /// The limit in force.
    pub limit: u32,
}

/// A place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queued {
    /// 1 for the next to be served.
    pub place: u32,
    /// When the next lease or claim window ends, unless it is refreshed.
    pub look_after: Duration,
    /// How many wait, this one included.
    pub waiters: u32,
    /// Whether the claim was not in the queue before. A waiter that is told so again learns that its place was lost.
    pub is_new: bool,
}

/// Slots and a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The token of this grant; the same for all its slots.
    pub token: FencingToken,
    /// The slots, in ascending order; as many as the claim's weight.
    pub slots: Vec<u32>,
    /// The limit in force.
    pub limit: u32,
    /// The limit of the grant before this one, where it was another: two programs disagree.
    pub other_limit: Option<u32>,
}

/// What replicas have of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Acknowledgement {
    /// Where the claim stands on the server that was asked.
    pub standing: Standing,
    /// How many of its replicas have confirmed that they have all that it had, the claim included.
    pub replicas: u32,
    /// The configuration epoch in which sentinels have named that server, where they have.
    pub epoch: Option<u64>,
}

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Standing {
    /// The backend knows nothing of it: expired, released, or never there.
    Absent,
    /// An operator took it by force.
    Forced,
    /// It holds; from a release: it held until now.
    Held,
    /// It waits in the queue; from a release: it waited until now.
    Waiting,
}

/// Permits that are added to a semaphore.
#[derive(Debug, Clone)]
pub struct Addition {
    /// The semaphore.
    pub name: Name,
    /// Which addition; the idempotency key, fresh for each.
    pub id: HolderId,
    /// How many; 1–65,535.
    pub permits: u32,
    /// The caller's own limit, 1–65,536: what is added to where no limit is stored.
    pub limit: u32,
}

impl Addition {
    /// How long a backend knows an addition by its id, on its own clock: a minute.
    pub const KEPT: Duration = Duration::from_secs(60);
}

/// What an addition came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Added {
    /// The permits are there, by this arrival or an earlier one.
    Raised {
        /// The limit in force now.
        limit: u32,
    },
    /// The sum would be above 65,536: nothing was added.
    TooMany {
        /// The limit in force.
        limit: u32,
    },
}

/// A hint that something changed for this process. May be spurious, repeated or late.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wakeup {
    /// An operator took this holder's permit.
    Forced(HolderId),
    /// This waiter was handed a permit or may try again: ask.
    Look(HolderId),
    /// Messages may have been missed: everyone ask.
    Missed,
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<B: LockBackend + ?Sized> LockBackend for Arc<B> {
    async fn acquire(&self, claim: &Claim, queueing: Queueing) -> Result<Attempt, BackendError> {
        (**self).acquire(claim, queueing).await
    }

    async fn vote(&self, claim: &Claim, queueing: Queueing, ballot: &Ballot) -> Result<Vote, BackendError> {
        (**self).vote(claim, queueing, ballot).await
    }

    async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>> {
        (**self).refresh(claims).await
    }

    async fn release(&self, claim: &Claim) -> Result<Standing, BackendError> {
        (**self).release(claim).await
    }

    async fn acknowledge(
        &self,
        claim: &Claim,
        replicas: u32,
        within: Duration,
    ) -> Result<Acknowledgement, BackendError> {
        (**self).acknowledge(claim, replicas, within).await
    }

    async fn time(&self) -> Result<Timestamp, BackendError> {
        (**self).time().await
    }

    async fn notify(&self, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
        (**self).notify(inbox).await
    }

    fn reconnects(&self) -> BoxStream<'static, Reconnect> {
        (**self).reconnects()
    }

    async fn inspect(&self, name: &Name) -> Result<Status, BackendError> {
        (**self).inspect(name).await
    }

    async fn list(&self, namespace: &str) -> Result<Vec<Name>, BackendError> {
        (**self).list(namespace).await
    }

    async fn force_release(&self, name: &Name, holder: HolderId) -> Result<Standing, BackendError> {
        (**self).force_release(name, holder).await
    }

    async fn resize(&self, name: &Name, limit: Option<u32>) -> Result<Option<u32>, BackendError> {
        (**self).resize(name, limit).await
    }

    fn fails_over(&self) -> bool {
        (**self).fails_over()
    }

    async fn add_permits(&self, addition: &Addition) -> Result<Added, BackendError> {
        (**self).add_permits(addition).await
    }

    fn keeper_handle(&self) -> Arc<dyn LockBackend> {
        (**self).keeper_handle()
    }
}
