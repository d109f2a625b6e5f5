//! What one server of a quorum is asked for, and what it answers.

use std::time::Duration;

use crate::backend::{Attempt, Busy, Claim, Grant, OPERATION_TIMEOUT_MAX, Queued};
use crate::client::DEFAULT_NAMESPACE;
use crate::clock::Timestamp;
use crate::fence::FencingToken;
use crate::holder::{HolderId, Inbox};
use crate::name::Name;

/// What a claim that wants its slots on a majority of servers asks one of them for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ballot {
    /// The token that the grant is to have; `None` where the claim knows too little to propose one. Grows from one ballot of a
    /// claim to the next: one that arrives late takes nothing from a later one.
    pub token: Option<FencingToken>,
    /// Which slots.
    pub wish: Wish,
    /// The ticket that its servers agreed on, where they did.
    pub ticket: Option<u64>,
    /// How far the claim is.
    pub stage: Stage,
}

/// How far a claim is with the slots of its [`Ballot`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It asks for them.
    Asks,
    /// A majority has voted for them: the token takes the place of the one that the server has voted for.
    Confirms,
    /// And has confirmed the token: it holds them. What others have of them on this server, under smaller tokens, came of no
    /// majority; they get for them what the claim has there, and have to ask anew.
    Holds,
    /// Its votes are for different slots: it counts what it has on this server no more, which may be exchanged for that of
    /// others of which this is true, or that have not asked since they were handed it. The answer is always that it is busy.
    Yields,
}

/// Which slots a claim wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// These, whoever waits: where they are not free, the claim keeps what it has; where none are named, it holds nothing on
    /// this server any more.
    Exactly(Vec<u32>),
    /// As many as it weighs, free ones from this one on, around at the limit; or those that it has.
    From(u32),
}

/// What one server answers to a [`Ballot`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vote {
    /// No slot is free, and the claim does not wait.
    Busy(Busy, View),
    /// The server has given the claim these slots.
    Cast(Cast, View),
    /// The claim waits, with this ticket.
    Queued(Queued, u64, View),
    /// The claim is refused: given up before, the queue is full, or it weighs too much.
    Refused(Attempt),
}

/// Slots that one server has given to a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cast {
    /// The slots, and the token that was proposed for them.
    pub grant: Grant,
    /// The last token of the name, as far as this server knew before this one was proposed for these slots.
    pub before: FencingToken,
    /// Bit i: whether the i-th slot after the one to look from is free, around at the limit in force; 52 slots at most, none
    /// where the slots were named.
    pub free: u64,
}

/// What a server that votes says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// What the next token of the name must be above, as far as this server knows.
    pub last: FencingToken,
    /// Its clock.
    pub now: Timestamp,
    /// Which server it is: 48 bits of its replication id. It is another one once the server was restarted.
    pub server: u64,
}

impl Vote {
    /// What the server says of itself.
    #[must_use]
    pub fn view(&self) -> Option<&View> {
        match self {
            Self::Busy(_, view) | Self::Cast(_, view) | Self::Queued(_, _, view) => Some(view),
            Self::Refused(_) => None,
        }
    }

    /// What the server has given to the claim.
    #[must_use]
    pub fn cast(&self) -> Option<&Cast> {
        match self {
            Self::Cast(cast, _) => Some(cast),
            _ => None,
        }
    }
}

/// A claim and a ballot that want nothing and leave nothing behind: for what the server says of itself.
pub(crate) fn for_nothing() -> (Claim, Ballot) {
    let claim = Claim {
        name: Name::new(DEFAULT_NAMESPACE, "quorum").expect("a good name"),
        holder: HolderId::from_bits(0),
        limit: 1,
        weight: 1,
        ttl: OPERATION_TIMEOUT_MAX * 6,
        window: OPERATION_TIMEOUT_MAX,
        patience: OPERATION_TIMEOUT_MAX,
        inbox: Inbox::from_bits(0),
        meta: "".into(),
        client_time: None,
        stepless: false,
        doubtful: false,
        grace: Duration::ZERO,
        grant: None,
    };
    let ballot = Ballot {
        token: None,
        wish: Wish::Exactly(Vec::new()),
        ticket: None,
        stage: Stage::Asks,
    };
    (claim, ballot)
}
