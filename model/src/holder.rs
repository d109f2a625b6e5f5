//! One acquisition, by a client or by its process.

use crate::node::{MAJORITY, NODES};
use crate::standing::{Answer, Standing};

/// How many tokens a holder can propose: the first one and two confirms.
pub(crate) const ROUNDS: usize = 3;

/// Where an acquisition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Phase {
    /// Not asked for yet.
    #[default]
    Idle,
    /// Votes are out, nothing is returned.
    Asking,
    /// The grant has returned: it believes that it holds.
    Holding,
    /// It believes nothing any more, for whatever reason. Its release is out.
    Ended,
}

/// An acquisition with an id of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Holder {
    pub(crate) phase: Phase,
    /// Which slot it asks for.
    pub(crate) slot: u8,
    /// How many times it has asked again with a higher token.
    pub(crate) confirms: u8,
    /// What it has proposed, the latest first. All these votes may still arrive, again and again.
    pub(crate) tokens: [u8; ROUNDS],
    /// The token with which the grant returned, or 0.
    pub(crate) returned: u8,
    /// Where claims overrule: the token with which its holds overrule others, or 0. They are out from when the grant returned.
    pub(crate) holds: u8,
    /// What its token has to be larger than: those of grants that had returned when it asked, and since then in its slot.
    pub(crate) floor: u8,
    /// On which lease it relies: 0 the one that was asked for, n the one of the n-th refresh.
    pub(crate) lease: u8,
    /// How many refreshes it has sent. Larger than `lease` while one is unanswered.
    pub(crate) refreshes: u8,
    pub(crate) standings: [Standing; NODES],
}

impl Holder {
    /// What it proposes now.
    pub(crate) fn token(&self) -> u8 {
        self.tokens[0]
    }

    /// Asks again with a higher token.
    pub(crate) fn propose(&mut self, token: u8) {
        self.tokens.rotate_right(1);
        self.tokens[0] = token;
        for standing in &mut self.standings {
            standing.latest = false;
        }
        self.drop_answers();
    }

    /// Keeps of the answers only who has granted: the lease rests on them.
    pub(crate) fn keep_backers(&mut self) {
        for standing in self.standings.iter_mut().filter(|standing| standing.answer.granted()) {
            standing.answer = Answer::Below;
        }
    }

    /// Says in a refresh on whose answers the present lease rests.
    pub(crate) fn ask_backers_to_take_it_in(&mut self) {
        for standing in &mut self.standings {
            standing.backed = standing.answer.granted();
        }
    }

    /// Believes nothing and listens to nothing any more. Its messages are still out.
    pub(crate) fn end(&mut self) {
        self.phase = Phase::Ended;
        self.floor = 0;
        self.drop_answers();
    }

    /// Whether a lease of it may be relied on.
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.phase, Phase::Asking | Phase::Holding)
    }

    /// Whether it has asked at all.
    pub(crate) fn has_asked(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// How many nodes have granted what it asks now.
    pub(crate) fn granted(&self) -> usize {
        self.standings
            .iter()
            .filter(|standing| standing.answer.granted())
            .count()
    }

    /// Whether it may return the token that it proposes.
    pub(crate) fn has_won(&self) -> bool {
        let below = self
            .standings
            .iter()
            .filter(|standing| standing.answer == Answer::Below);
        self.phase == Phase::Asking && below.count() >= MAJORITY
    }

    /// The smallest token that it has proposed: that of its oldest vote.
    pub(crate) fn smallest_token(&self) -> u8 {
        self.tokens[usize::from(self.confirms)]
    }

    /// Forgets the answers, because something else is asked now or nobody listens.
    pub(crate) fn drop_answers(&mut self) {
        for standing in &mut self.standings {
            standing.answer = Answer::None;
        }
    }
}
