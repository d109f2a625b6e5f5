//! What can happen next.

/// One step of one actor, or of the network, or of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A client asks all nodes for a slot.
    Ask {
        /// Which holder.
        who: usize,
        /// Which slot.
        slot: u8,
        /// The token that it proposes.
        token: u8,
    },
    /// A vote arrives, for the first time or again, in time or late.
    Vote {
        /// Whose vote.
        who: usize,
        /// At which node.
        node: usize,
        /// Which of its votes, from the latest, 0.
        age: usize,
        /// Whether the answer is the one that the client hears of.
        heard: bool,
    },
    /// A client has a majority, but its token is not above: it asks all nodes again with a higher one.
    Confirm {
        /// Which holder.
        who: usize,
        /// The higher token.
        token: u8,
    },
    /// A grant returns.
    Return {
        /// Which holder.
        who: usize,
        /// With which token.
        token: u8,
    },
    /// A client stops believing or asking and sends its release.
    Stop {
        /// Which holder.
        who: usize,
    },
    /// A release arrives.
    Release {
        /// Whose.
        who: usize,
        /// At which node.
        node: usize,
    },
    /// A node's record of a lease that is over ends.
    Expire {
        /// Whose.
        who: usize,
        /// At which node.
        node: usize,
    },
    /// A node restarts and has forgotten everything.
    Forget {
        /// Which node.
        node: usize,
    },
    /// A node has restarted long enough ago to grant again.
    GraceEnds {
        /// Which node.
        node: usize,
    },
    /// A client sends a refresh to all nodes.
    SendRefresh {
        /// Which holder.
        who: usize,
    },
    /// A refresh arrives, for the first time or again, in time or late.
    Refresh {
        /// Whose.
        who: usize,
        /// At which node.
        node: usize,
        /// The number of the refresh, from 1.
        lease: u8,
    },
    /// A node is told that a claim holds its slot, in time or late, and ends the record of whom it had granted it.
    Overrule {
        /// Who holds the slot, or has held it.
        who: usize,
        /// At which node.
        node: usize,
    },
    /// A majority has answered a refresh: the holder relies on the new lease.
    Renew {
        /// Which holder.
        who: usize,
    },
}
