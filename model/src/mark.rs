//! What has occurred in a space: a case that never occurs proves nothing.

use crate::event::Event;
use crate::holder::{Holder, Phase};
use crate::node::{MAJORITY, NODES};
use crate::standing::Answer;
use crate::world::{HOLDERS, World};

/// Something that a space should contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// A grant returned after one round.
    OneRound,
    /// A grant returned after a confirm.
    Confirmed,
    /// A grant returned after two confirms.
    ConfirmedTwice,
    /// Each node has another client on record in one slot, and all of them are asking.
    SplitVotes,
    /// A record ended by its node's clock.
    Expiry,
    /// A vote was granted although its client had ended.
    LateVote,
    /// A vote was granted by one node after another was told of the release of its holder.
    VoteAfterRelease,
    /// A release came to a node before any vote of its holder.
    ReleaseFirst,
    /// A vote came again, or an older one came after a newer one.
    RepeatedVote,
    /// A client gave up although a majority had granted what it asked.
    UnheardMajority,
    /// A grant returned after another one of the name.
    NextHolder,
    /// Two clients believed that they held different slots.
    TwoHold,
    /// A node restarted without memory, and had a living client on record.
    Amnesia,
    /// A majority was in its grace at one time.
    AmnesiaOfMajority,
    /// A node granted a vote while another one was in its grace.
    VoteInGrace,
    /// A node's grace ended.
    GraceEnd,
    /// A node got a holder on record by a vote while the client held already.
    VoteOfHolder,
    /// A refresh was answered by a majority.
    Renewal,
    /// A node in its grace took in a lease that it had forgotten.
    TakenIn,
    /// The record of an older lease ended while its holder relied on a newer one.
    StaleExpiry,
    /// A client that holds a slot overruled a living one at a node.
    Overruled,
    /// A client did so when it had ended.
    OverruledLate,
}

impl Mark {
    const ALL: [Self; 22] = [
        Self::OneRound,
        Self::Confirmed,
        Self::ConfirmedTwice,
        Self::SplitVotes,
        Self::Expiry,
        Self::LateVote,
        Self::VoteAfterRelease,
        Self::ReleaseFirst,
        Self::RepeatedVote,
        Self::UnheardMajority,
        Self::NextHolder,
        Self::TwoHold,
        Self::Amnesia,
        Self::AmnesiaOfMajority,
        Self::VoteInGrace,
        Self::GraceEnd,
        Self::VoteOfHolder,
        Self::Renewal,
        Self::TakenIn,
        Self::StaleExpiry,
        Self::Overruled,
        Self::OverruledLate,
    ];
}

/// A set of marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marks(u32);

impl Marks {
    /// Whether it has occurred.
    #[must_use]
    pub fn has(self, mark: Mark) -> bool {
        self.0 & 1 << mark as u32 != 0
    }

    /// Those that have not occurred.
    #[must_use]
    pub fn missing(self) -> Vec<Mark> {
        Mark::ALL.into_iter().filter(|mark| !self.has(*mark)).collect()
    }

    fn set(&mut self, mark: Mark, occurred: bool) {
        self.0 |= u32::from(occurred) << mark as u32;
    }

    /// Adds what has just happened.
    pub(crate) fn look_at(&mut self, event: &Event, before: &World, after: &World) {
        match *event {
            Event::Vote { who, node, .. } => self.look_at_vote(who, node, before, after),
            Event::Return { who, .. } => self.look_at_return(who, before),
            Event::Stop { who } => self.set(Mark::UnheardMajority, has_unheard_majority(who, before)),
            Event::Release { who, node } => self.set(Mark::ReleaseFirst, !before.holders[who].standings[node].recorded),
            Event::Expire { who, .. } => {
                self.set(Mark::Expiry, true);
                self.set(Mark::StaleExpiry, before.holders[who].is_alive());
            }
            Event::Forget { node } => self.look_at_amnesia(node, before, after),
            Event::GraceEnds { .. } => self.set(Mark::GraceEnd, true),
            Event::Renew { .. } => self.set(Mark::Renewal, true),
            Event::Refresh { who, node, .. } => {
                self.set(Mark::TakenIn, !before.holders[who].standings[node].recorded);
            }
            Event::Overrule { who, node } => self.look_at_overruling(who, node, before),
            Event::Ask { .. } | Event::Confirm { .. } | Event::SendRefresh { .. } => {}
        }
    }

    fn look_at_vote(&mut self, who: usize, node: usize, before: &World, after: &World) {
        let holder = &before.holders[who];
        self.set(Mark::RepeatedVote, holder.standings[node].answer.granted());
        self.set(
            Mark::VoteAfterRelease,
            holder.standings.iter().any(|standing| standing.told),
        );
        self.set(
            Mark::VoteOfHolder,
            holder.phase == Phase::Holding && !holder.standings[node].recorded,
        );
        self.set(Mark::LateVote, holder.phase == Phase::Ended);
        self.set(Mark::SplitVotes, has_split_votes(holder.slot, after));
        self.set(Mark::VoteInGrace, after.nodes.iter().any(|node| node.in_grace));
    }

    fn look_at_overruling(&mut self, who: usize, node: usize, before: &World) {
        let other = before.occupant(who, node).map(|other| &before.holders[other]);
        let is_living = other.is_some_and(Holder::is_alive);
        let has_ended = before.holders[who].phase == Phase::Ended;
        self.set(Mark::Overruled, is_living && !has_ended);
        self.set(Mark::OverruledLate, is_living && has_ended);
    }

    fn look_at_return(&mut self, who: usize, before: &World) {
        let holder = &before.holders[who];
        self.set(Mark::OneRound, holder.confirms == 0);
        self.set(Mark::Confirmed, holder.confirms > 0);
        self.set(Mark::ConfirmedTwice, holder.confirms > 1);
        self.set(Mark::NextHolder, before.largest_returned > 0);
        self.set(
            Mark::TwoHold,
            before.holders.iter().any(|other| other.phase == Phase::Holding),
        );
    }

    fn look_at_amnesia(&mut self, node: usize, before: &World, after: &World) {
        let alive = before.holders.iter().filter(|holder| holder.is_alive());
        self.set(
            Mark::Amnesia,
            alive.clone().any(|holder| holder.standings[node].recorded),
        );
        self.set(
            Mark::AmnesiaOfMajority,
            after.nodes.iter().filter(|node| node.in_grace).count() >= MAJORITY,
        );
    }
}

fn has_unheard_majority(who: usize, before: &World) -> bool {
    let holder = &before.holders[who];
    let below = holder
        .standings
        .iter()
        .filter(|standing| standing.answer == Answer::Below);
    holder.phase == Phase::Asking && below.count() >= MAJORITY
}

fn has_split_votes(slot: u8, after: &World) -> bool {
    let asks = |holder: &Holder| holder.phase == Phase::Asking && holder.slot == slot;
    let votes = |who: usize| {
        after.holders[who]
            .standings
            .iter()
            .filter(|standing| standing.recorded)
            .count()
    };
    (0..HOLDERS)
        .filter(|who| asks(&after.holders[*who]) && votes(*who) == 1)
        .count()
        == NODES
}
