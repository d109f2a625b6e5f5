//! What the votes so far come to.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::mem::discriminant;

use super::answers::{Answers, median, upper_median};
use crate::backend::{Attempt, Busy, Grant, Queued};
use crate::fence::FencingToken;
use crate::vote::{Cast, View, Vote};

/// How many slots a server says of whether they are free.
const WINDOW: u32 = 52;

/// The votes on one claim.
pub(super) struct Tally<'a> {
    answers: &'a Answers<Vote>,
    majority: usize,
}

impl<'a> Tally<'a> {
    pub(super) fn new(answers: &'a Answers<Vote>, majority: usize) -> Self {
        Self { answers, majority }
    }

    /// Whether more answers would change nothing: the claim has won and its token is right or cannot become so, or it cannot
    /// win any more.
    pub(super) fn is_decided(&self, proposed: Option<FencingToken>) -> bool {
        let outstanding = self.answers.outstanding();
        let answered = self.answers.given().count();
        if let Some(slots) = self.won() {
            let (token, rightly) = self.rightly_for(slots);
            if Some(token) != proposed {
                return outstanding == 0;
            }
            return rightly >= self.majority || rightly + outstanding < self.majority;
        }
        let most = self.leading().map_or(0, |slots| self.votes_for(slots));
        let refusals = self.most_refused().map_or(0, |(_, count)| count);
        let is_open = |count: usize| count + outstanding >= self.majority;
        let may_be_refused = refusals > 0 && refusals < self.majority && is_open(refusals);
        answered >= self.majority && !is_open(most) && !may_be_refused
    }

    /// The slots that a majority voted for.
    pub(super) fn won(&self) -> Option<&'a [u32]> {
        self.leading().filter(|slots| self.votes_for(slots) >= self.majority)
    }

    /// The slots that most voted for; of several the lowest.
    pub(super) fn leading(&self) -> Option<&'a [u32]> {
        let mut votes = BTreeMap::<&[u32], usize>::new();
        for cast in self.casts() {
            *votes.entry(&cast.grant.slots).or_default() += 1;
        }
        let most = votes.values().copied().max()?;
        votes
            .into_iter()
            .find(|(_, count)| *count == most)
            .map(|(slots, _)| slots)
    }

    fn votes_for(&self, slots: &[u32]) -> usize {
        self.casts().filter(|cast| cast.grant.slots == slots).count()
    }

    pub(super) fn casts(&self) -> impl Iterator<Item = &'a Cast> {
        self.answers.given().filter_map(Vote::cast)
    }

    /// Slots that a majority could vote for, as far as it said, and which of it voted for others; the claim looked for them
    /// from this one on. Those that have most votes first, and of the others such as another claim does not happen upon, too.
    pub(super) fn within_reach(&self, from: u32, weight: u32, chance: f64) -> Option<(Vec<u32>, Vec<usize>)> {
        let casts = self.answers.by_server();
        let casts: Vec<(usize, &Cast)> = casts.filter_map(|(index, vote)| Some((index, vote.cast()?))).collect();
        if casts.len() < self.majority {
            return None;
        }
        let limit = casts.iter().map(|(_, cast)| cast.grant.limit.max(1)).min()?;
        let window = WINDOW.min(limit);
        let first = (f64::from(window) * chance) as u32;
        let around = (0..window).map(|place| (from % limit + (first + place) % window) % limit);
        let mut votes = BTreeMap::new();
        for slot in casts.iter().flat_map(|(_, cast)| &cast.grant.slots) {
            *votes.entry(*slot).or_insert(0) += 1;
        }
        let mut candidates: Vec<(u32, u32)> = votes.iter().map(|(slot, count)| (*slot, *count)).collect();
        candidates.extend(around.filter(|slot| !votes.contains_key(slot)).map(|slot| (slot, 0)));
        candidates.retain(|(slot, _)| *slot < limit);
        candidates.sort_by_key(|(_, count)| Reverse(*count));

        let (mut slots, mut able) = (Vec::new(), casts);
        for (slot, _) in candidates {
            let mut able_still = able.clone();
            able_still.retain(|(_, cast)| has_free(cast, slot, from));
            if able_still.len() >= self.majority {
                slots.push(slot);
                able = able_still;
            }
            if slots.len() == weight as usize {
                slots.sort_unstable();
                able.retain(|(_, cast)| cast.grant.slots != slots);
                return Some((slots, able.into_iter().map(|(index, _)| index).collect()));
            }
        }
        None
    }

    /// Whether a majority has given the claim something.
    pub(super) fn is_split(&self) -> bool {
        self.casts().count() >= self.majority
    }

    /// The servers that have given the claim something.
    pub(super) fn voters(&self) -> Vec<usize> {
        let voters = self.answers.by_server().filter(|(_, vote)| vote.cast().is_some());
        voters.map(|(index, _)| index).collect()
    }

    /// The token of a majority's votes for these slots, if it is above every one that these servers knew before.
    pub(super) fn token_for(&self, slots: &[u32]) -> Option<FencingToken> {
        let (token, rightly) = self.rightly_for(slots);
        (rightly >= self.majority).then_some(token)
    }

    /// The token that a claim which asks again may have: the one that it proposes, or an earlier one if every server has voted
    /// under that. A server that votes late does so under the newer one, and would not know the grant by the other.
    pub(super) fn token_again(&self, slots: &[u32], proposed: Option<FencingToken>) -> Option<FencingToken> {
        let (token, rightly) = self.rightly_for(slots);
        let is_known = Some(token) == proposed || rightly == self.answers.0.len();
        self.token_for(slots).filter(|_| is_known)
    }

    /// The largest token of the votes for these slots, and how many of them have it and knew none as large before.
    fn rightly_for(&self, slots: &[u32]) -> (FencingToken, usize) {
        let for_them = || self.casts().filter(|cast| cast.grant.slots == slots);
        let tokens = for_them().map(|cast| cast.grant.token);
        let highest = tokens.max().unwrap_or(FencingToken::from_u64(0));
        let rightly = for_them().filter(|cast| cast.grant.token == highest && cast.before < highest);
        (highest, rightly.count())
    }

    pub(super) fn grant(&self, slots: &[u32], token: FencingToken) -> Grant {
        let limits = self.casts().map(|cast| cast.grant.limit);
        Grant {
            token,
            slots: slots.to_vec(),
            limit: median(limits).expect("a grant has votes"),
            other_limit: self.casts().find_map(|cast| cast.grant.other_limit),
        }
    }

    pub(super) fn views(&self) -> impl Iterator<Item = &'a View> + Clone {
        self.answers.given().filter_map(Vote::view)
    }

    /// The largest of what the next token must be above.
    pub(super) fn last_token(&self) -> FencingToken {
        let last = self.views().map(|view| view.last).max();
        last.unwrap_or(FencingToken::from_u64(0))
    }

    /// Whether a majority has nothing for the claim.
    pub(super) fn is_refused(&self) -> bool {
        self.answers.given().filter(|vote| vote.cast().is_none()).count() >= self.majority
    }

    /// Two servers that are one, by their places.
    pub(super) fn twins(&self) -> Option<(usize, usize)> {
        let views = self
            .answers
            .by_server()
            .filter_map(|(index, vote)| Some((index, vote.view()?.server)));
        let mut places = BTreeMap::new();
        views
            .into_iter()
            .find_map(|(index, server)| places.insert(server, index).map(|other| (other, index)))
    }

    /// What a majority refuses the claim for.
    pub(super) fn refusal(&self) -> Option<Attempt> {
        let (refusal, count) = self.most_refused()?;
        (count >= self.majority).then(|| refusal.clone())
    }

    /// What most refuse the claim for, and how many.
    fn most_refused(&self) -> Option<(&'a Attempt, usize)> {
        let refusals = self.answers.given().filter_map(refused);
        let is_like = |one: &Attempt, other: &Attempt| discriminant(one) == discriminant(other);
        let counted = refusals.clone().map(|refusal| {
            let alike = refusals.clone().filter(|other| is_like(refusal, other));
            (refusal, alike.count())
        });
        counted.max_by_key(|(_, count)| *count)
    }

    /// The ticket that all should know: the largest of those that drew it now, unless some knew the claim before.
    pub(super) fn ticket(&self) -> Option<u64> {
        let known = self
            .queued()
            .filter(|(queued, _)| !queued.is_new)
            .map(|(_, ticket)| ticket)
            .max();
        known.or_else(|| self.queued().map(|(_, ticket)| ticket).max())
    }

    /// What the claim's place in the queue is, as the middle one of those that have it in theirs sees it; of two the later
    /// one, since a server that is behind has not heard of all.
    pub(super) fn place(&self) -> Option<Queued> {
        let middle = |what: fn(&Queued) -> u32| upper_median(self.queued().map(|(queued, _)| what(queued)));
        Some(Queued {
            place: middle(|queued| queued.place)?,
            waiters: middle(|queued| queued.waiters)?,
            look_after: self.free_in_majority(self.queued().map(|(queued, _)| queued.look_after))?,
            is_new: self.queued().all(|(queued, _)| queued.is_new),
        })
    }

    /// How busy the middle one of those that are busy is.
    pub(super) fn busy(&self) -> Option<Busy> {
        let middle = |what: fn(&Busy) -> u32| median(self.all_busy().map(what));
        Some(Busy {
            used: middle(|busy| busy.used)?,
            waiters: middle(|busy| busy.waiters)?,
            look_after: self.free_in_majority(self.all_busy().map(|busy| busy.look_after))?,
            limit: middle(|busy| busy.limit)?,
        })
    }

    /// When so many of the servers that refuse will have something free that with the others they are a majority.
    fn free_in_majority<U: Ord + Copy>(&self, moments: impl Iterator<Item = U>) -> Option<U> {
        let mut moments: Vec<U> = moments.collect();
        moments.sort_unstable();
        let missing = self.majority.saturating_sub(self.casts().count()).max(1);
        moments.get(missing - 1).or(moments.last()).copied()
    }

    fn queued(&self) -> impl Iterator<Item = (&'a Queued, u64)> {
        self.answers.given().filter_map(|vote| match vote {
            Vote::Queued(queued, ticket, _) => Some((queued, *ticket)),
            _ => None,
        })
    }

    fn all_busy(&self) -> impl Iterator<Item = &'a Busy> {
        self.answers.given().filter_map(|vote| match vote {
            Vote::Busy(busy, _) => Some(busy),
            _ => None,
        })
    }
}

fn refused(vote: &Vote) -> Option<&Attempt> {
    match vote {
        Vote::Refused(attempt) => Some(attempt),
        _ => None,
    }
}

/// Whether a server has this slot free or among the claim's own, as far as it said.
fn has_free(cast: &Cast, slot: u32, from: u32) -> bool {
    let limit = cast.grant.limit.max(1);
    let place = (slot + limit - from % limit) % limit;
    cast.grant.slots.binary_search(&slot).is_ok() || place < WINDOW && cast.free >> place & 1 == 1
}
