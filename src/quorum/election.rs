//! One acquire: rounds of votes until a majority has given the claim its slots, or will not.

use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, join_all};

use super::Quorum;
use super::answers::Answers;
use super::poll::{Poll, Rest};
use super::settler::{Resolution, Settler};
use super::tally::Tally;
use crate::backend::{Attempt, Busy, Claim, Grant, LockBackend, Queued, Queueing};
use crate::clock::Instant;
use crate::failure::BackendError;
use crate::fence::FencingToken;
use crate::vote::{Ballot, Vote, Wish};

/// Within how many slots claims begin to look, so that those that come together do not want the same one. More would leave
/// more gaps to remember in a large semaphore that is almost empty.
const SPREAD: u32 = 32;
/// How often a claim that does not wait tries after a split vote.
const ROUNDS_MAX: u32 = 4;
/// How long servers have, at least, to change their vote; up to three times what the first round took.
const AGREED_WITHIN_MIN: Duration = Duration::from_millis(2);
/// When a waiter looks again after a split vote: between one and two of these.
const SPLIT_PAUSE: Duration = Duration::from_millis(5);

pub(super) struct Election<'a, B> {
    pub(super) quorum: &'a Quorum<B>,
    pub(super) claim: Arc<Claim>,
    pub(super) queueing: Queueing,
    /// The slot to look from.
    pub(super) from: u32,
    deadline: Instant,
    /// Which time it is that the claim asks and waits if need be; 0 where it does not.
    pub(super) ask: u64,
}

/// What a round came to.
enum Round {
    Decided(Attempt),
    /// Nobody has a majority, and nobody else need have one: to be tried again after so long.
    Split(Duration),
}

impl<'a, B: LockBackend> Election<'a, B> {
    pub(super) fn new(quorum: &'a Quorum<B>, claim: &Claim, queueing: Queueing) -> Self {
        Self {
            quorum,
            claim: Arc::new(claim.clone()),
            queueing,
            from: (claim.holder.bits() as u32) % claim.limit.clamp(1, SPREAD),
            deadline: quorum.clock.now() + claim.timeout(),
            ask: match queueing {
                Queueing::Never => 0,
                Queueing::HandOff | Queueing::WakeUp => quorum.mail.begin(claim.holder),
            },
        }
    }

    pub(super) async fn decide(&self) -> Result<Attempt, BackendError> {
        let answer = self.rounds().await;
        if !matches!(answer, Ok(Attempt::Queued(_))) {
            self.quorum.mail.end(self.claim.holder);
        }
        answer
    }

    async fn rounds(&self) -> Result<Attempt, BackendError> {
        let clock = &self.quorum.clock;
        let mut rounds = 1;
        loop {
            match self.round().await? {
                Round::Decided(attempt) => return Ok(attempt),
                Round::Split(pause) if rounds < ROUNDS_MAX && clock.now() + pause < self.deadline => {
                    rounds += 1;
                    clock.sleep_until(clock.now() + pause).await;
                }
                Round::Split(pause) => return Ok(Attempt::Busy(self.split(pause))),
            }
        }
    }

    async fn round(&self) -> Result<Round, BackendError> {
        let ballot = Ballot {
            token: self.quorum.horizon.propose(),
            wish: Wish::From(self.from),
            ticket: None,
            replaces: false,
        };
        let mut poll = self.vote(self.everyone(), self.queueing, &ballot);
        poll.until(self.deadline, |answers| self.tally(answers).is_decided(ballot.token))
            .await;
        let took = poll.took();
        let (mut answers, mut rest) = poll.into_parts();
        self.hear(&answers, took)?;

        let leading = self.tally(&answers).leading().map(<[u32]>::to_vec);
        if let Some(slots) = leading {
            let agreed = self.agree(&mut answers, &mut rest, &slots, ballot.token, took).await;
            if agreed && let Some(grant) = self.confirmed(&mut answers, &mut rest, &slots, ballot.token).await? {
                let won = Resolution::Won(grant.slots.clone(), grant.token);
                self.settle(&answers, rest, &won).await;
                return Ok(Round::Decided(Attempt::Granted(grant)));
            }
        }
        if answers.given().count() < self.quorum.majority() {
            let error = self.quorum.no_majority(&answers);
            // Who waits asks again at once, or is released; what is given back would overtake that.
            if self.queueing == Queueing::Never {
                self.settle(&answers, rest, &Resolution::Nothing).await;
            } else {
                rest.detach();
            }
            return Err(error);
        }
        let round = self.without(&answers, took);
        let resolution = match &round {
            Round::Decided(Attempt::Queued(_)) => Resolution::Waits(self.tally(&answers).ticket()),
            _ => Resolution::Nothing,
        };
        self.settle(&answers, rest, &resolution).await;
        Ok(round)
    }

    /// Asks those that voted for other slots for these, if a majority may come of it.
    async fn agree(
        &self,
        answers: &mut Answers<Vote>,
        late: &mut Rest<Vote>,
        slots: &[u32],
        token: Option<FencingToken>,
        took: Duration,
    ) -> bool {
        let tally = self.tally(answers);
        if tally.won().is_some() {
            return true;
        }
        let others = tally.who_may_change(slots, self.from);
        if !tally.may_win(slots, others.len()) {
            return false;
        }
        let ballot = Ballot {
            token,
            wish: Wish::Exactly(slots.to_vec()),
            ticket: None,
            replaces: false,
        };
        let mut poll = self.vote(others, self.queueing, &ballot);
        let patience = (took * 3).max(AGREED_WITHIN_MIN);
        poll.until(self.deadline.min(self.quorum.clock.now() + patience), |_| false)
            .await;
        let (changed, rest) = poll.into_parts();
        late.join(rest);
        answers.update(changed);
        self.tally(answers).won().is_some()
    }

    /// The grant of what a majority voted for: at once where the token is above all that this majority knew, else once a
    /// majority has confirmed a larger one. `None` where the votes are gone meanwhile.
    async fn confirmed(
        &self,
        answers: &mut Answers<Vote>,
        late: &mut Rest<Vote>,
        slots: &[u32],
        proposed: Option<FencingToken>,
    ) -> Result<Option<Grant>, BackendError> {
        let tally = self.tally(answers);
        if let Some(token) = tally.token_again(slots, proposed) {
            return Ok(Some(tally.grant(slots, token)));
        }
        let mut floor = tally.last_token();
        loop {
            let token = self.quorum.horizon.propose_above(floor);
            let ballot = Ballot {
                token: Some(token),
                wish: Wish::Exactly(slots.to_vec()),
                ticket: None,
                replaces: true,
            };
            let mut poll = self.vote(self.everyone(), Queueing::Never, &ballot);
            let is_decided = |answers: &Answers<Vote>| {
                let tally = self.tally(answers);
                tally.token_for(slots) == Some(token) || tally.won().is_none() && tally.is_decided(Some(token))
            };
            poll.until(self.deadline, is_decided).await;
            let took = poll.took();
            let (confirmed, rest) = poll.into_parts();
            late.join(rest);
            self.hear(&confirmed, took)?;
            let tally = self.tally(&confirmed);
            let grant = (tally.token_for(slots) == Some(token)).then(|| tally.grant(slots, token));
            let (is_lost, last) = (tally.won().is_none(), tally.last_token());
            if confirmed.given().count() < self.quorum.majority() {
                // Whatever becomes of this round, the one before has been applied.
                return Err(self.quorum.no_majority(&confirmed).into_unknown());
            }
            answers.update(confirmed);
            if grant.is_some() || is_lost {
                return Ok(grant);
            }
            if self.quorum.clock.now() >= self.deadline {
                return Err(BackendError::timed_out(self.claim.timeout()));
            }
            floor = last;
        }
    }

    /// What to say where nothing was won.
    fn without(&self, answers: &Answers<Vote>, took: Duration) -> Round {
        let tally = self.tally(answers);
        if let Some(refusal) = tally.refusal() {
            return Round::Decided(refusal);
        }
        if self.queueing != Queueing::Never {
            return Round::Decided(Attempt::Queued(self.queued(answers)));
        }
        match tally.busy() {
            Some(busy) if tally.casts().next().is_none() => Round::Decided(Attempt::Busy(busy)),
            _ => Round::Split(took.max(SPLIT_PAUSE / 50).mul_f64(1.0 + 2.0 * self.chance())),
        }
    }

    /// The claim keeps for a moment what some servers voted for: others may give back what is missing.
    fn queued(&self, answers: &Answers<Vote>) -> Queued {
        let tally = self.tally(answers);
        let voters = answers.by_server().filter(|(_, vote)| vote.cast().is_some());
        let has_all = self.quorum.mail.hold(self.claim.holder, voters.map(|(index, _)| index));
        let mut queued = tally.place().unwrap_or(Queued {
            place: 1,
            look_after: tally.busy().map_or(SPLIT_PAUSE, |busy| busy.look_after),
            waiters: 1,
            is_new: false,
        });
        if has_all {
            queued.look_after = Duration::ZERO;
        } else if !tally.is_refused() {
            queued.look_after = SPLIT_PAUSE.mul_f64(1.0 + self.chance());
        }
        queued
    }

    fn split(&self, pause: Duration) -> Busy {
        Busy {
            used: 0,
            waiters: 0,
            look_after: pause,
            limit: self.claim.limit,
        }
    }

    /// Between 0 and 1, another for each claim and moment, the same in each run of a simulation.
    pub(super) fn chance(&self) -> f64 {
        let moment = self.quorum.clock.now().since_origin().as_nanos() as u64;
        let bits = (self.claim.holder.bits() >> 64) as u64 ^ moment;
        (bits.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 11) as f64 / (1u64 << 53) as f64
    }

    fn everyone(&self) -> Vec<usize> {
        (0..self.quorum.nodes.len()).collect()
    }

    /// Puts what servers have voted in order with what was decided: now of those that have answered, and later of the rest.
    ///
    /// A claim that does not wait and has nothing waits for that: its program may end.
    async fn settle(&self, answers: &Answers<Vote>, rest: Rest<Vote>, resolution: &Resolution) {
        let settler = Settler::new(self, resolution);
        let answered = answers.0.iter().enumerate();
        let answered = answered.filter_map(|(index, answer)| Some((index, answer.clone()?)));
        let work = answered.filter_map(|(index, answer)| settler.put_in_order(index, answer));
        let work: Vec<_> = work.map(tokio::spawn).collect();
        if self.queueing == Queueing::Never && matches!(resolution, Resolution::Nothing) {
            tokio::select! {
                biased;
                _done = join_all(work) => {}
                () = self.quorum.clock.sleep_until(self.deadline) => {}
            }
        }
        let silent = answers.0.iter().enumerate().filter(|(_, answer)| answer.is_none());
        let unsettled: Vec<_> = silent.map(|(index, _)| settler.begin(index)).collect();
        rest.each(move |index, vote| {
            let _until_all_have_answered = &unsettled;
            settler.put_in_order(index, vote)
        });
    }

    fn vote(&self, servers: Vec<usize>, queueing: Queueing, ballot: &Ballot) -> Poll<Vote> {
        let questions = self.quorum.nodes.iter().enumerate().map(|(index, node)| {
            let asked = servers.contains(&index);
            let settling = asked.then(|| self.quorum.unsettled.begin(self.claim.holder, index))?;
            let (node, claim) = (Arc::clone(&node.backend), Arc::clone(&self.claim));
            Some(settling.until(cast_ballot(node, claim, queueing, ballot.clone())))
        });
        Poll::begin(
            &self.quorum.clock,
            self.quorum.majority(),
            &self.quorum.paces,
            questions,
        )
    }

    fn tally<'t>(&self, answers: &'t Answers<Vote>) -> Tally<'t> {
        Tally::new(answers, self.quorum.majority())
    }

    /// Learns from what the servers say of themselves.
    fn hear(&self, answers: &Answers<Vote>, took: Duration) -> Result<(), BackendError> {
        self.quorum.horizon.hear(self.tally(answers).views(), took);
        self.quorum.distinct(answers)
    }
}

pub(super) fn cast_ballot<B: LockBackend>(
    backend: Arc<B>,
    claim: Arc<Claim>,
    queueing: Queueing,
    ballot: Ballot,
) -> BoxFuture<'static, Result<Vote, BackendError>> {
    Box::pin(async move { backend.vote(&claim, queueing, &ballot).await })
}
