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
use crate::vote::{Ballot, Stage, Vote, Wish};

/// Within how many slots claims begin to look, so that those that come together do not want the same one. More would leave
/// more gaps to remember in a large semaphore that is almost empty.
const SPREAD: u32 = 32;
/// How many rounds there are at most while a majority votes for it, but for different slots.
const ROUNDS_MAX: u32 = 8;
/// How many where only a minority does, and it does not wait.
const TRIES_MAX: u32 = 4;
/// How long servers have, at least, to change their vote; up to three times what the first round took.
const AGREED_WITHIN_MIN: Duration = Duration::from_millis(2);
/// When a waiter looks again after a split vote: between one and two of these.
const SPLIT_PAUSE: Duration = Duration::from_millis(5);
/// Between two rounds pass, at least, up to so many of these as there were rounds.
const PAUSE_MIN: Duration = Duration::from_micros(100);

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
            match self.round(rounds).await? {
                Round::Decided(attempt) => return Ok(attempt),
                Round::Split(pause) => {
                    clock.sleep_until(clock.now() + pause).await;
                    rounds += 1;
                }
            }
        }
    }

    async fn round(&self, number: u32) -> Result<Round, BackendError> {
        let ballot = Ballot {
            token: self.quorum.horizon.propose(),
            wish: Wish::From(self.from),
            ticket: None,
            stage: Stage::Asks,
        };
        let mut poll = self.vote(self.everyone(), self.queueing, &ballot);
        poll.until(self.deadline, |answers| self.tally(answers).is_decided(ballot.token))
            .await;
        let took = poll.took();
        let (mut answers, mut rest) = poll.into_parts();
        self.hear(&answers, took)?;

        if let Some(slots) = self.agree(&mut answers, &mut rest, ballot.token, took).await
            && let Some(grant) = self.confirmed(&mut answers, &mut rest, &slots, ballot.token).await?
        {
            let won = Resolution::Won(grant.slots.clone(), grant.token);
            self.settle(&answers, rest, &won, took).await;
            return Ok(Round::Decided(Attempt::Granted(grant)));
        }
        if answers.given().count() < self.quorum.majority() {
            let error = self.quorum.no_majority(&answers);
            // Who waits asks again at once, or is released; what is given back would overtake that.
            if self.queueing == Queueing::Never {
                self.settle(&answers, rest, &Resolution::Nothing, took).await;
            } else {
                rest.detach();
            }
            return Err(error);
        }
        let is_split = self.tally(&answers).is_split();
        let pause = self.pause(number, is_split, took);
        if let Some(pause) = pause.filter(|_| is_split) {
            rest.detach();
            self.yield_slots(self.tally(&answers).voters(), took).await;
            return Ok(Round::Split(pause));
        }
        let round = self.without(&answers, pause, took);
        let resolution = match &round {
            Round::Decided(Attempt::Queued(_)) => Resolution::Waits(self.tally(&answers).ticket()),
            _ => Resolution::Nothing,
        };
        self.settle(&answers, rest, &resolution, took).await;
        Ok(round)
    }

    /// How long to wait before the next round; `None` where there is none, or no time for one.
    fn pause(&self, number: u32, is_split: bool, took: Duration) -> Option<Duration> {
        let rounds_max = if is_split { ROUNDS_MAX } else { TRIES_MAX };
        let pause = took.max(PAUSE_MIN).mul_f64(f64::from(number) * self.chance());
        let next_ends = self.quorum.clock.now() + patience(took) + pause + took * 4;
        (number < rounds_max && next_ends < self.deadline).then_some(pause)
    }

    /// The slots that a majority voted for; where there are none, those that voted for others are asked for such as a majority
    /// has free.
    async fn agree(
        &self,
        answers: &mut Answers<Vote>,
        late: &mut Rest<Vote>,
        token: Option<FencingToken>,
        took: Duration,
    ) -> Option<Vec<u32>> {
        if self.tally(answers).won().is_none() {
            let tally = self.tally(answers);
            let (slots, others) = tally.within_reach(self.from, self.claim.weight, self.chance())?;
            let ballot = Ballot {
                token,
                wish: Wish::Exactly(slots),
                ticket: None,
                stage: Stage::Asks,
            };
            let (changed, rest) = self.ask_soon(others, &ballot, took).await;
            late.join(rest);
            answers.update(changed);
        }
        self.tally(answers).won().map(<[u32]>::to_vec)
    }

    /// Lets servers that gave it different slots exchange them for those of other claims that it happened to, too.
    async fn yield_slots(&self, voters: Vec<usize>, took: Duration) {
        let ballot = Ballot {
            token: self.quorum.horizon.propose(),
            wish: Wish::From(self.from),
            ticket: None,
            stage: Stage::Yields,
        };
        let (_, rest) = self.ask_soon(voters, &ballot, took).await;
        rest.detach();
    }

    /// Asks servers that have just answered, and does not wait much longer for them than it took.
    async fn ask_soon(&self, servers: Vec<usize>, ballot: &Ballot, took: Duration) -> (Answers<Vote>, Rest<Vote>) {
        let mut poll = self.vote(servers, self.queueing, ballot);
        let ends = self.quorum.clock.now() + patience(took);
        poll.until(self.deadline.min(ends), |_| false).await;
        poll.into_parts()
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
                stage: Stage::Confirms,
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
    fn without(&self, answers: &Answers<Vote>, pause: Option<Duration>, took: Duration) -> Round {
        let tally = self.tally(answers);
        if let Some(refusal) = tally.refusal() {
            return Round::Decided(refusal);
        }
        if self.queueing != Queueing::Never {
            return Round::Decided(Attempt::Queued(self.queued(answers, took)));
        }
        match tally.busy() {
            Some(busy) if tally.casts().next().is_none() => Round::Decided(Attempt::Busy(busy)),
            busy => match pause {
                Some(pause) => Round::Split(pause),
                None => Round::Decided(Attempt::Busy(busy.unwrap_or_else(|| self.split()))),
            },
        }
    }

    /// The claim keeps for a moment what some servers voted for: others may give back what is missing.
    fn queued(&self, answers: &Answers<Vote>, took: Duration) -> Queued {
        let tally = self.tally(answers);
        let has_all = self.quorum.mail.hold(self.claim.holder, tally.voters().into_iter());
        let mut queued = tally.place().unwrap_or(Queued {
            place: 1,
            look_after: tally.busy().map_or(SPLIT_PAUSE, |busy| busy.look_after),
            waiters: 1,
            is_new: false,
        });
        if has_all {
            queued.look_after = Duration::ZERO;
        } else if !tally.is_refused() {
            queued.look_after = SPLIT_PAUSE.max(took).mul_f64(1.0 + self.chance());
        }
        queued
    }

    fn split(&self) -> Busy {
        Busy {
            used: 0,
            waiters: 0,
            look_after: SPLIT_PAUSE,
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
    async fn settle(&self, answers: &Answers<Vote>, rest: Rest<Vote>, resolution: &Resolution, took: Duration) {
        let settler = Settler::new(self, resolution, took);
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

/// How long to wait for servers that have just answered within `took`.
fn patience(took: Duration) -> Duration {
    (took * 3).max(AGREED_WITHIN_MIN)
}

pub(super) fn cast_ballot<B: LockBackend>(
    backend: Arc<B>,
    claim: Arc<Claim>,
    queueing: Queueing,
    ballot: Ballot,
) -> BoxFuture<'static, Result<Vote, BackendError>> {
    Box::pin(async move { backend.vote(&claim, queueing, &ballot).await })
}
