//! How one holder stands with one node.

/// The largest token of which an answer can tell in its four bits.
pub(crate) const LARGEST_TOKEN: usize = 13;

/// What the node has on record of the holder, and what it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Standing {
    /// Whether the node has the holder on record in its slot.
    pub(crate) recorded: bool,
    /// Where claims overrule: the largest token of the holder that the node has heard since the record began.
    pub(crate) asked: u8,
    /// Where claims overrule and refresh: whether the node has heard, since the record began, what the holder proposes now.
    pub(crate) latest: bool,
    /// Whether the node has been told of the release, which is its tombstone.
    pub(crate) told: bool,
    /// Which lease the record belongs to: 0 the one that was asked for, n the one of the n-th refresh.
    pub(crate) lease: u8,
    /// One more than the lease for which the grace of the node waits; 0 if it does not.
    pub(crate) awaited: u8,
    /// Whether the latest refresh says that the lease of then rested on this node's answer.
    pub(crate) backed: bool,
    /// The answer to what the holder asks now.
    pub(crate) answer: Answer,
}

impl Standing {
    /// The node has nothing on record of the holder any more.
    pub(crate) fn end_record(&mut self) {
        self.recorded = false;
        self.asked = 0;
        self.latest = false;
    }
}

/// What a node has answered, as far as the holder cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Answer {
    /// Nothing, or a refusal: neither counts.
    #[default]
    None,
    /// Granted, and the token is above what was its highest. To a refresh: still held.
    Below,
    /// Granted, but its highest was this already.
    Above(u8),
}

impl Answer {
    /// What is answered to a token that is above the highest, or not.
    pub(crate) fn of(is_above: bool, highest: u8) -> Self {
        if is_above { Self::Below } else { Self::Above(highest) }
    }

    pub(crate) fn granted(self) -> bool {
        self != Self::None
    }

    /// The highest token that it tells of, as far as that matters.
    pub(crate) fn highest(self) -> u8 {
        match self {
            Self::Above(highest) => highest,
            Self::None | Self::Below => 0,
        }
    }

    pub(crate) fn to_bits(self) -> u64 {
        match self {
            Self::None => 0,
            Self::Below => 1,
            Self::Above(highest) => 2 + u64::from(highest),
        }
    }

    pub(crate) fn from_bits(bits: u64) -> Self {
        match bits {
            0 => Self::None,
            1 => Self::Below,
            above => Self::Above(above as u8 - 2),
        }
    }
}
