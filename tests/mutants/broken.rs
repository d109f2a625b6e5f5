//! A backend with one defect, around one without.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use semafence::{
    Acknowledgement, Added, Addition, Attempt, BackendError, Ballot, Claim, Clock, FencingToken, Grant, HolderId,
    Inbox, LockBackend, Name, Queueing, Reconnect, Standing, Status, Timestamp, Vote, Wakeup,
};
use semafence_sim::SimClock;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    AcknowledgingDoesNothing,
    AddingDoesNothing,
    AddingIsCutOff,
    AdditionForgetsTheOneBefore,
    AdditionIsNoticedTooLate,
    AnswersInReverse,
    AskingAgainGoesToTheEnd,
    BusyWaits,
    ClaimWindowIsEndless,
    ClockStands,
    DoubtIsForgotten,
    EveryPlaceIsNew,
    EverySlotIsZero,
    EverybodyIsWoken,
    EverythingWeighsOne,
    ForceIsAPlainRelease,
    ForceIsNotTold,
    FreshHolderOnRetry,
    FreshIdOnEachAddition,
    LeasesLastTenTimes,
    LookAfterIsEndless,
    LookingEvicts,
    MessagesAreLost,
    NamesIgnoreCase,
    NothingIsListed,
    OneTokenForAll,
    OneTooMany,
    OnlyHoldersAreReleased,
    OtherLimitIsHidden,
    PatienceIsEndless,
    QueueOnlyWakes,
    RefreshBringsBack,
    RefreshDoesNothing,
    ReleaseDoesNothing,
    ReleaseFreesAnybodys,
    ResizeDoesNothing,
    RetryKeepsTheOldLease,
    ShrinkingEvicts,
    StatusIsEmpty,
    TokenIsIgnored,
    TooHeavyIsBusy,
}

const ENDLESS: Duration = Duration::from_secs(3600);

#[derive(Debug)]
pub(crate) struct Broken {
    inner: Arc<dyn LockBackend>,
    defect: Defect,
    clock: SimClock,
    granted: Arc<Mutex<Vec<(Claim, Grant)>>>,
}

impl Broken {
    pub(crate) fn new(inner: Arc<dyn LockBackend>, defect: Defect, clock: SimClock) -> Self {
        Self {
            inner,
            defect,
            clock,
            granted: Arc::default(),
        }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn grants(&self) -> std::sync::MutexGuard<'_, Vec<(Claim, Grant)>> {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn grant_of(&self, holder: HolderId) -> Option<Grant> {
        let grants = self.grants();
        let known = grants.iter().find(|(claim, _)| claim.holder == holder);
        known.map(|(_, grant)| grant.clone())
    }

    /// The claim as this backend misunderstands it.
    fn misread(&self, claim: &Claim) -> Claim {
        let mut claim = claim.clone();
        match self.defect {
            Defect::ClaimWindowIsEndless => claim.window = ENDLESS,
            Defect::DoubtIsForgotten => claim.doubtful = false,
            Defect::EverythingWeighsOne => claim.weight = 1,
            Defect::LeasesLastTenTimes => claim.ttl *= 10,
            Defect::NamesIgnoreCase => claim.name = lower(&claim.name),
            Defect::OneTooMany => claim.limit += 1,
            Defect::PatienceIsEndless => claim.patience = ENDLESS,
            Defect::TokenIsIgnored => claim.grant = None,
            _ => {}
        }
        claim
    }

    /// An addition that is none: another one in between is lost.
    async fn read_then_write(&self, addition: &Addition) -> Result<Added, BackendError> {
        let before = self.inner.inspect(&addition.name).await?.limit_override;
        let limit = before.unwrap_or(addition.limit) + addition.permits;
        self.inner.resize(&addition.name, Some(limit)).await?;
        Ok(Added::Raised { limit })
    }

    fn misreport(&self, attempt: Attempt) -> Attempt {
        match (self.defect, attempt) {
            (Defect::EverySlotIsZero, Attempt::Granted(grant)) => Attempt::Granted(Grant {
                slots: vec![0; grant.slots.len()],
                ..grant
            }),
            (Defect::EveryPlaceIsNew, Attempt::Queued(mut queued)) => {
                queued.is_new = true;
                Attempt::Queued(queued)
            }
            (Defect::LookAfterIsEndless, Attempt::Queued(mut queued)) => {
                queued.look_after = ENDLESS;
                Attempt::Queued(queued)
            }
            (Defect::OneTokenForAll, Attempt::Granted(grant)) => Attempt::Granted(Grant {
                token: FencingToken::from_u64(1),
                ..grant
            }),
            (Defect::OtherLimitIsHidden, Attempt::Granted(grant)) => Attempt::Granted(Grant {
                other_limit: None,
                ..grant
            }),
            (Defect::TooHeavyIsBusy, Attempt::Oversized { limit }) => Attempt::Busy(semafence::Busy {
                used: 0,
                waiters: 0,
                look_after: Duration::ZERO,
                limit,
            }),
            (_, attempt) => attempt,
        }
    }
}

fn lower(name: &Name) -> Name {
    Name::new(name.namespace(), &name.as_str().to_lowercase()).expect("a good name")
}

fn plain_claim(name: &Name, holder: HolderId) -> Claim {
    Claim {
        name: name.clone(),
        holder,
        limit: 1,
        weight: 1,
        ttl: Duration::from_secs(1),
        window: Duration::from_secs(1),
        patience: Duration::from_secs(1),
        inbox: Inbox::from_bits(0),
        meta: "".into(),
        client_time: None,
        stepless: false,
        doubtful: false,
        grace: Duration::ZERO,
        grant: None,
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl LockBackend for Broken {
    async fn acquire(&self, claim: &Claim, queueing: Queueing) -> Result<Attempt, BackendError> {
        let mut claim = self.misread(claim);
        let known = self.grant_of(claim.holder);
        if let (Defect::RetryKeepsTheOldLease, Some(grant)) = (self.defect, &known) {
            return Ok(Attempt::Granted(grant.clone()));
        }
        if self.has(Defect::FreshHolderOnRetry) && known.is_some() {
            claim.holder = HolderId::from_bits(0xf00d);
        }
        if self.has(Defect::AskingAgainGoesToTheEnd) && queueing == Queueing::HandOff {
            let status = self.inner.inspect(&claim.name).await?;
            if status.waiters.iter().any(|waiter| waiter.holder == claim.holder) {
                self.inner.release(&claim).await?;
            }
        }
        let queueing = match queueing {
            Queueing::HandOff if self.has(Defect::QueueOnlyWakes) => Queueing::WakeUp,
            other => other,
        };
        let attempt = self.misreport(self.inner.acquire(&claim, queueing).await?);
        match &attempt {
            Attempt::Granted(grant) => self.grants().push((claim, grant.clone())),
            Attempt::Busy(_) if self.has(Defect::BusyWaits) => {
                self.clock.sleep_until(self.clock.now() + ENDLESS).await;
            }
            _ => {}
        }
        Ok(attempt)
    }

    /// No clause is about one server of a quorum.
    async fn vote(&self, claim: &Claim, queueing: Queueing, ballot: &Ballot) -> Result<Vote, BackendError> {
        self.inner.vote(claim, queueing, ballot).await
    }

    async fn refresh(&self, claims: &[Claim]) -> Vec<Result<Standing, BackendError>> {
        let claims: Vec<Claim> = claims.iter().map(|claim| self.misread(claim)).collect();
        if self.has(Defect::RefreshDoesNothing) {
            return claims.iter().map(|_| Ok(Standing::Held)).collect();
        }
        let mut answers = self.inner.refresh(&claims).await;
        match self.defect {
            Defect::AnswersInReverse => answers.reverse(),
            Defect::ForceIsNotTold => answers.iter_mut().flatten().for_each(hide_force),
            Defect::RefreshBringsBack => {
                for (claim, answer) in claims.iter().zip(&mut answers) {
                    let again = self.inner.acquire(claim, Queueing::Never).await;
                    if matches!(again, Ok(Attempt::Granted(_))) {
                        *answer = Ok(Standing::Held);
                    }
                }
            }
            _ => {}
        }
        answers
    }

    async fn release(&self, claim: &Claim) -> Result<Standing, BackendError> {
        let claim = self.misread(claim);
        let holds = self.grant_of(claim.holder).is_some();
        if self.has(Defect::ReleaseDoesNothing) || self.has(Defect::OnlyHoldersAreReleased) && !holds {
            return Ok(if holds { Standing::Held } else { Standing::Waiting });
        }
        let mut standing = self.inner.release(&claim).await?;
        if self.has(Defect::ForceIsNotTold) {
            hide_force(&mut standing);
        }
        if self.has(Defect::ReleaseFreesAnybodys) && standing == Standing::Absent {
            let last = self.grants().last().map(|(claim, _)| claim.clone());
            if let Some(claim) = last {
                self.inner.release(&claim).await?;
            }
        }
        Ok(standing)
    }

    async fn acknowledge(
        &self,
        claim: &Claim,
        replicas: u32,
        within: Duration,
    ) -> Result<Acknowledgement, BackendError> {
        let held = Acknowledgement {
            standing: Standing::Held,
            replicas: 0,
            epoch: None,
        };
        match self.defect {
            Defect::AcknowledgingDoesNothing => Ok(held),
            _ => self.inner.acknowledge(claim, replicas, within).await,
        }
    }

    fn fails_over(&self) -> bool {
        self.inner.fails_over()
    }

    async fn time(&self) -> Result<Timestamp, BackendError> {
        match self.defect {
            Defect::ClockStands => Ok(Timestamp::from_micros(0)),
            _ => self.inner.time().await,
        }
    }

    async fn notify(&self, inbox: Inbox) -> Result<BoxStream<'static, Wakeup>, BackendError> {
        let wakeups = self.inner.notify(inbox).await?;
        Ok(match self.defect {
            Defect::EverybodyIsWoken => wakeups
                .flat_map(|wakeup| stream::iter([wakeup, Wakeup::Missed]))
                .boxed(),
            Defect::MessagesAreLost => wakeups.filter(|_| std::future::ready(false)).boxed(),
            _ => wakeups,
        })
    }

    fn reconnects(&self) -> BoxStream<'static, Reconnect> {
        self.inner.reconnects()
    }

    async fn inspect(&self, name: &Name) -> Result<Status, BackendError> {
        let mut status = self.inner.inspect(name).await?;
        match self.defect {
            Defect::LookingEvicts => {
                for holder in &status.holders {
                    self.inner.force_release(name, holder.holder).await?;
                }
            }
            Defect::StatusIsEmpty => {
                status.holders.clear();
                status.waiters.clear();
            }
            _ => {}
        }
        Ok(status)
    }

    async fn list(&self, namespace: &str) -> Result<Vec<Name>, BackendError> {
        match self.defect {
            Defect::NothingIsListed => Ok(Vec::new()),
            _ => self.inner.list(namespace).await,
        }
    }

    async fn force_release(&self, name: &Name, holder: HolderId) -> Result<Standing, BackendError> {
        match self.defect {
            Defect::ForceIsAPlainRelease => self.inner.release(&plain_claim(name, holder)).await,
            _ => self.inner.force_release(name, holder).await,
        }
    }

    async fn resize(&self, name: &Name, limit: Option<u32>) -> Result<Option<u32>, BackendError> {
        if self.has(Defect::ResizeDoesNothing) {
            return Ok(None);
        }
        if self.has(Defect::ShrinkingEvicts) {
            for holder in self.inner.inspect(name).await?.holders {
                self.inner.force_release(name, holder.holder).await?;
            }
        }
        self.inner.resize(name, limit).await
    }

    async fn add_permits(&self, addition: &Addition) -> Result<Added, BackendError> {
        let mut addition = addition.clone();
        match self.defect {
            Defect::AddingDoesNothing => return Ok(Added::Raised { limit: addition.limit }),
            Defect::AdditionIsNoticedTooLate => return self.read_then_write(&addition).await,
            Defect::AdditionForgetsTheOneBefore => {
                self.inner.resize(&addition.name, None).await?;
            }
            Defect::FreshIdOnEachAddition => {
                addition.id = HolderId::from_bits(u128::from(self.inner.time().await?.as_micros()));
            }
            _ => {}
        }
        match self.inner.add_permits(&addition).await? {
            Added::TooMany { limit } if self.has(Defect::AddingIsCutOff) => Ok(Added::Raised { limit }),
            added => Ok(added),
        }
    }

    fn keeper_handle(&self) -> Arc<dyn LockBackend> {
        Arc::new(Self {
            inner: self.inner.keeper_handle(),
            defect: self.defect,
            clock: self.clock.clone(),
            granted: Arc::clone(&self.granted),
        })
    }
}

fn hide_force(standing: &mut Standing) {
    if *standing == Standing::Forced {
        *standing = Standing::Absent;
    }
}
