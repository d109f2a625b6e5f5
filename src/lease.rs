//! One lease as this process sees it: until when it holds, and whether it is over.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::backend::{Acknowledgement, Claim, Grant, Standing};
use crate::clock::{Clock, Instant};
use crate::error::LossReason;
use crate::failure::{BackendError, Outcome};
use crate::meter::{Meter, Tenure};
use crate::trace;

/// How long a lease asked for at one moment may be believed in: the ttl, less what two clocks may drift apart meanwhile
/// and the millisecond to which servers round.
pub(crate) fn validity(ttl: Duration) -> Duration {
    ttl - ttl / 100 - Duration::from_millis(5)
}

/// A granted claim: who, what, and until when.
pub(crate) struct Lease {
    pub(crate) claim: Claim,
    pub(crate) grant: Arc<Grant>,
    /// What replicas had of the grant, where that was asked.
    pub(crate) acknowledgement: Option<Acknowledgement>,
    pub(crate) meter: Arc<Meter>,
    pub(crate) span: Span,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    ended: CancellationToken,
    risk: Notify,
}

#[derive(Debug)]
struct State {
    deadline: Instant,
    at_risk: bool,
    /// Refreshes that are on their way, or were never answered.
    unanswered: u32,
    end: Option<End>,
    /// Until the end.
    tenure: Option<Tenure>,
}

/// How a lease ended. Final.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Lost(LossReason),
    Released,
}

impl Lease {
    /// A lease whose answered request was sent at `asked_at`; `None` if it is over already. Its claim names the grant from
    /// then on, whoever refreshes it.
    pub(crate) fn new(
        claim: Claim,
        grant: Grant,
        asked_at: Instant,
        clock: Arc<dyn Clock>,
        meter: &Arc<Meter>,
        caller: &Span,
    ) -> Option<Self> {
        let deadline = asked_at + validity(claim.ttl);
        if clock.now() >= deadline {
            return None;
        }
        let grant = Arc::new(grant);
        let claim = Claim {
            grant: Some(Arc::clone(&grant)),
            ..claim
        };
        let state = State {
            deadline,
            at_risk: false,
            unanswered: 0,
            end: None,
            tenure: Some(Tenure::begin(meter, claim.weight, deadline)),
        };
        Some(Self {
            span: trace::hold(caller, &claim, &grant),
            claim,
            grant,
            acknowledgement: None,
            meter: Arc::clone(meter),
            clock,
            state: Mutex::new(state),
            ended: CancellationToken::new(),
            risk: Notify::new(),
        })
    }

    /// The same, with what replicas have of its grant.
    pub(crate) fn backed_by(self, acknowledgement: Option<Acknowledgement>) -> Self {
        Self {
            acknowledgement,
            ..self
        }
    }

    /// A refresh is being sent.
    pub(crate) fn asking(&self) {
        self.look().unanswered += 1;
    }

    /// What came of it: unless that is unknown, it arrives no more.
    pub(crate) fn asked(&self, answer: &Result<Standing, BackendError>) {
        if !matches!(answer, Err(error) if error.outcome() == Outcome::Unknown) {
            self.look().unanswered -= 1;
        }
    }

    /// The claim for its release: where a refresh may still arrive that a server with a [`grace`](Claim::grace) would
    /// take for that of a lease which it has forgotten, it must find that it is over.
    pub(crate) fn claim_to_release(&self) -> Claim {
        let may_be_taken_in = !self.claim.grace.is_zero() && self.look().unanswered > 0;
        Claim {
            doubtful: self.claim.doubtful || may_be_taken_in,
            ..self.claim.clone()
        }
    }

    /// Counts the lease from a refresh that was sent at `asked_at` and answered *held*. A lease that was over before
    /// the answer came stays lost: somebody may have been told.
    pub(crate) fn extend(&self, asked_at: Instant) {
        let mut state = self.look();
        if state.end.is_none() {
            state.deadline = state.deadline.max(asked_at + validity(self.claim.ttl));
            state.at_risk = false;
            state.measure();
        }
    }

    /// Ends the lease, unless it has ended before; answers how it ended.
    pub(crate) fn end(&self, end: End) -> End {
        let settled = self.settle(&mut self.look(), end);
        if matches!(settled, End::Lost(_)) {
            self.ended.cancel();
        }
        settled
    }

    /// How the lease ended, if it has.
    pub(crate) fn ending(&self) -> Option<End> {
        self.look().end
    }

    pub(crate) fn is_held(&self) -> bool {
        self.ending().is_none()
    }

    /// When the lease ends on the local clock unless it is refreshed.
    pub(crate) fn deadline(&self) -> Instant {
        self.look().deadline
    }

    pub(crate) fn remaining(&self) -> Duration {
        let state = self.look();
        match state.end {
            None => state.deadline.saturating_since(self.clock.now()),
            Some(_) => Duration::ZERO,
        }
    }

    pub(crate) async fn lost(&self) -> LossReason {
        loop {
            self.ended.cancelled().await;
            if let Some(End::Lost(reason)) = self.ending() {
                return reason;
            }
        }
    }

    pub(crate) fn loss_token(&self) -> CancellationToken {
        self.ended.child_token()
    }

    /// Warns that less than a third of the ttl is left.
    pub(crate) fn warn(&self) {
        self.look().at_risk = true;
        self.risk.notify_waiters();
    }

    pub(crate) async fn at_risk(&self) {
        loop {
            let warned = self.risk.notified();
            if self.look().is_over_or_at_risk() {
                return;
            }
            tokio::select! {
                biased;
                () = self.ended.cancelled() => return,
                () = warned => {}
            }
        }
    }

    fn settle(&self, state: &mut State, end: End) -> End {
        if let (None, End::Lost(reason)) = (state.end, end) {
            trace::ended_by_loss(&self.span, reason);
        }
        state.settle(end)
    }

    /// The state, after the clock has been asked: whoever looks first at a lease that is over ends it, so that it can
    /// never seem held again.
    fn look(&self) -> std::sync::MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.end.is_none() && self.clock.now() >= state.deadline {
            self.settle(&mut state, End::Lost(LossReason::Expired));
            self.ended.cancel();
        }
        state
    }
}

impl State {
    /// Ends it, unless it has ended before; answers how it ended.
    fn settle(&mut self, end: End) -> End {
        if let Some(tenure) = self.tenure.take() {
            tenure.end();
        }
        *self.end.get_or_insert(end)
    }

    fn measure(&mut self) {
        if let Some(tenure) = &mut self.tenure {
            tenure.extend(self.deadline);
        }
    }

    fn is_over_or_at_risk(&self) -> bool {
        self.at_risk || self.end.is_some()
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("name", &self.claim.name)
            .field("token", &self.grant.token)
            .field("slots", &self.grant.slots)
            .field("end", &self.ending())
            .finish_non_exhaustive()
    }
}
