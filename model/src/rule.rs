//! Which variant of the protocol is explored.

/// The protocol as it should be, or with one thing wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Each slot is a majority lock of its own, tokens are confirmed, restarts have grace and guard.
    Full,
    /// Nodes count holders up to the limit and know no slots.
    Counting,
    /// A client returns the token that it proposed, whatever the nodes answered.
    OnePhase,
    /// A client that proposed too low a token returns a higher one without telling the nodes.
    NoConfirm,
    /// A token that equals the highest of a node counts as above it.
    NotStrict,
    /// A node that has forgotten everything grants at once.
    NoGrace,
    /// The grace of a node waits for grants that have returned, but not for clients that are still asking.
    GraceOfGrants,
    /// A node that has forgotten everything starts with highest token zero.
    NoGuard,
    /// A restarted node starts above every token that was returned, but not above those that were proposed.
    GuardOfGrants,
    /// A node does not remember releases.
    NoTombstone,
    /// In its grace a node takes in any lease that is announced, not only one that it had on record when it restarted.
    TakeInAnybody,
    /// In its grace a node takes in a lease whose client says that it rests on this node's answer.
    TakeInBacked,
    /// A node's record may end before its holder's deadline: clocks drift by more than is allowed for.
    EarlyExpiry,
    /// A claim that holds a slot overrules whoever has it at a node, whatever that one has asked with.
    OverruleAnybody,
    /// A claim overrules others already with what it asks to confirm.
    OverruleByConfirm,
    /// Where claims overrule, a refresh is answered by a node that has its holder on record under any token, not only where
    /// it has heard the one of the grant.
    RefreshOfAnyRecord,
}

impl Rule {
    /// Every rule that is known to be wrong, or under a broken assumption.
    pub const VARIANTS: [Self; 15] = [
        Self::Counting,
        Self::OnePhase,
        Self::NoConfirm,
        Self::NotStrict,
        Self::NoGrace,
        Self::GraceOfGrants,
        Self::NoGuard,
        Self::GuardOfGrants,
        Self::NoTombstone,
        Self::TakeInAnybody,
        Self::TakeInBacked,
        Self::EarlyExpiry,
        Self::OverruleAnybody,
        Self::OverruleByConfirm,
        Self::RefreshOfAnyRecord,
    ];

    /// How many slots a client can ask for.
    pub(crate) fn slots(self, limit: u8) -> u8 {
        if self == Self::Counting { 1 } else { limit }
    }

    /// Whether a node that restarts is above every token that anybody has proposed.
    pub(crate) fn has_guard(self) -> bool {
        !matches!(self, Self::NoGuard | Self::GuardOfGrants)
    }

    /// Whether who overrules whom does not follow from what is compared under the full rule.
    pub(crate) fn overrules_wrongly(self) -> bool {
        matches!(self, Self::OverruleAnybody | Self::OverruleByConfirm)
    }

    pub(crate) fn is_above(self, token: u8, previous: u8) -> bool {
        token > previous || (self == Self::NotStrict && token == previous)
    }
}
