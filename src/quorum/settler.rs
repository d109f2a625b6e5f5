//! Puts what servers have voted in order with what was decided.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;

use super::Quorum;
use super::election::{Election, cast_ballot};
use super::unsettled::Settling;
use crate::backend::{Claim, LockBackend, Queueing};
use crate::clock::Clock;
use crate::failure::{BackendError, Outcome};
use crate::fence::FencingToken;
use crate::vote::{Ballot, Cast, Stage, Vote, Wish};

/// For how long at most a claim that waits keeps votes of a minority, or four times what a round took. Two that hold what the
/// other wants must not give it back at the same moment, or they only change places.
const KEPT_MAX: Duration = Duration::from_millis(20);

/// When a claim that holds slots asks a server for them that has given it others.
const HELD_AFTER_MS: [u64; 6] = [0, 4, 8, 16, 32, 64];
/// How long that takes.
const HELD_WITHIN: Duration = Duration::from_millis(124);

/// What becomes of a claim on servers that did not decide, or answer late.
#[derive(Debug, Clone)]
pub(super) enum Resolution {
    /// It holds nothing.
    Nothing,
    /// It waits, with this ticket.
    Waits(Option<u64>),
    /// It holds these slots under this token.
    Won(Vec<u32>, FencingToken),
}

/// What was decided of a claim, and since which token.
pub(super) struct Settler<B> {
    quorum: Quorum<B>,
    claim: Arc<Claim>,
    queueing: Queueing,
    from: u32,
    ask: u64,
    /// When a waiting claim gives back votes of a minority.
    kept_for: Duration,
    resolution: Resolution,
    /// Above that of the claim's ballots so far, and below that of those to come, which this must not undo.
    token: Option<FencingToken>,
}

impl<B: LockBackend> Settler<B> {
    pub(super) fn new(election: &Election<'_, B>, resolution: &Resolution, took: Duration) -> Self {
        Self {
            quorum: election.quorum.clone(),
            claim: Arc::clone(&election.claim),
            queueing: election.queueing,
            from: election.from,
            ask: election.ask,
            kept_for: KEPT_MAX.max(took * 4).mul_f64(election.chance()),
            token: match resolution {
                Resolution::Won(_, token) => Some(*token),
                Resolution::Nothing | Resolution::Waits(_) => election.quorum.horizon.propose(),
            },
            resolution: resolution.clone(),
        }
    }

    /// Counts a ballot to this server that nobody waits for.
    pub(super) fn begin(&self, server: usize) -> Settling {
        self.quorum.unsettled.begin(self.claim.holder, server)
    }

    /// What to do because of a server's vote, if anything.
    pub(super) fn put_in_order(
        &self,
        server: usize,
        vote: Result<Vote, BackendError>,
    ) -> Option<BoxFuture<'static, ()>> {
        match (&self.resolution, vote) {
            // It may have voted. A tombstone would end the wait of a claim that asks again.
            (Resolution::Nothing, Err(error)) if error.outcome() == Outcome::Unknown => Some(self.hold_nothing(server)),
            (Resolution::Nothing, Ok(Vote::Cast(..) | Vote::Queued(..))) => Some(self.hold_nothing(server)),
            (Resolution::Waits(ticket), Ok(Vote::Cast(..))) => Some(self.give_back(server, *ticket)),
            (Resolution::Waits(ticket), Ok(Vote::Queued(_, drawn, _))) if *ticket != Some(drawn) => {
                let ballot = self.ballot(Wish::From(self.from), *ticket);
                Some(self.send(server, self.queueing, ballot))
            }
            (Resolution::Won(slots, token), Ok(Vote::Cast(cast, _))) if !is_for(&cast, slots, *token) => {
                Some(self.hold(server, slots))
            }
            (Resolution::Won(slots, _), Ok(Vote::Busy(..) | Vote::Queued(..))) => Some(self.hold(server, slots)),
            _ => None,
        }
    }

    /// Holds nothing, and does not wait.
    fn hold_nothing(&self, server: usize) -> BoxFuture<'static, ()> {
        let ballot = self.ballot(Wish::Exactly(Vec::new()), None);
        self.send(server, Queueing::Never, ballot)
    }

    /// Holds these slots there, too. Whoever has them there without a majority asks again and again, and cannot be overruled
    /// while it has asked more lately; or the server is about to be through with its grace.
    fn hold(&self, server: usize, slots: &[u32]) -> BoxFuture<'static, ()> {
        let slots = slots.to_vec();
        let ballot = self.ballot(Wish::Exactly(slots.clone()), None);
        let (quorum, claim) = (self.quorum.clone(), Arc::clone(&self.claim));
        quorum.unsettled.begin_to_repeat(claim.holder, server);
        Box::pin(async move {
            for pause in HELD_AFTER_MS.map(Duration::from_millis) {
                quorum.clock.sleep_until(quorum.clock.now() + pause).await;
                let Some(settling) = quorum.unsettled.repeat(claim.holder, server) else {
                    return;
                };
                let backend = Arc::clone(&quorum.nodes[server].backend);
                let vote = cast_ballot(backend, Arc::clone(&claim), Queueing::Never, ballot.clone());
                match settling.until(vote).await {
                    Ok(Vote::Cast(cast, _)) if cast.grant.slots != slots => {}
                    Ok(Vote::Busy(busy, _)) if busy.look_after < HELD_WITHIN => {}
                    _ => break,
                }
            }
            quorum.unsettled.end_repeating(claim.holder, server);
        })
    }

    /// Gives a vote back after a while, unless the claim has asked again by then or waits no more.
    fn give_back(&self, server: usize, ticket: Option<u64>) -> BoxFuture<'static, ()> {
        let (quorum, claim, ask, queueing) = (self.quorum.clone(), Arc::clone(&self.claim), self.ask, self.queueing);
        let ballot = self.ballot(Wish::Exactly(Vec::new()), ticket);
        let given_back_at = quorum.clock.now() + self.kept_for;
        Box::pin(async move {
            quorum.clock.sleep_until(given_back_at).await;
            // Before it is looked whether the claim waits: its release looks the other way round.
            let settling = quorum.unsettled.begin(claim.holder, server);
            if !quorum.mail.is_current(claim.holder, ask) {
                return;
            }
            quorum.mail.give_back(claim.holder, ask, server);
            let backend = Arc::clone(&quorum.nodes[server].backend);
            let _it_ends_with_its_ttl = settling.until(cast_ballot(backend, claim, queueing, ballot)).await;
        })
    }

    fn ballot(&self, wish: Wish, ticket: Option<u64>) -> Ballot {
        Ballot {
            token: self.token,
            stage: match self.resolution {
                Resolution::Won(..) => Stage::Holds,
                Resolution::Nothing | Resolution::Waits(_) => Stage::Asks,
            },
            wish,
            ticket,
        }
    }

    fn send(&self, server: usize, queueing: Queueing, ballot: Ballot) -> BoxFuture<'static, ()> {
        let backend = Arc::clone(&self.quorum.nodes[server].backend);
        let settling = self.begin(server);
        let vote = settling.until(cast_ballot(backend, Arc::clone(&self.claim), queueing, ballot));
        Box::pin(async move {
            let _it_ends_with_its_ttl = vote.await;
        })
    }
}

fn is_for(cast: &Cast, slots: &[u32], token: FencingToken) -> bool {
    cast.grant.slots == slots && cast.grant.token == token
}
