//! The names of what must hold, and under which assumptions.

use std::fmt;

/// What must hold, and under which assumptions.
///
/// Terms. A permit is *believed in* from the return of the acquire to its loss, its release, or the death of its client;
/// it is *acted on* while it is believed in and its client does not stand still. A client is *calm* while no fault befalls
/// it or everybody, and it neither stands still nor is dead. *Notice* is how long a calm client takes to learn that its
/// lease is gone: a refresh interval, an operation's timeout (a sixth of the ttl, at most 2 s, and a quarter more), and
/// 250 ms to connect anew. A *window* is a claim window, the ttl but at most 2 s.
///
/// Rules that need [`Record`](crate::history::What::Record) events say nothing about a history without them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Invariant {
    /// A permit is acknowledged by as many replicas as it waits for. If those are all that the master has, the next server
    /// that is promoted knows of it, within one ttl and unless it is over by then. Assumes that no server lost data and no
    /// clock stepped in between. Needs records.
    Acknowledged,
    /// No more slots of a name are acted on than the largest limit in force since the oldest of the permits was asked for.
    /// Holds under every fault: what two permits of one slot mean is for [`ExclusiveSlot`](Self::ExclusiveSlot).
    AtMostLimit,
    /// What has ended on a server is not brought back on it: a lease that was over is not extended, and what was taken by
    /// force is neither held nor queued again within one ttl. Assumes that the server lost no data meanwhile, and that its
    /// clock did not step. Needs records.
    EndFinal,
    /// Two permits of one slot are never acted on at once.
    ///
    /// Where a server lost data since the older was granted, or two servers served at once (a split brain), they may be;
    /// then the checker measures, and [`OverlapBound`](Self::OverlapBound) holds. So it is while a clock steps or drifts
    /// by more than the allowance, for everybody or for the client of the older, and where an operator took the older by
    /// force: its holder learns of it at its next refresh.
    ExclusiveSlot,
    /// After a write with a permit was admitted, none is admitted with one of the same slot that was granted before it or
    /// whose token is smaller. Grants are ordered by epoch, then by the first record that shows them; without records by
    /// real time. Assumes what [`TokenOrder`](Self::TokenOrder) assumes.
    FenceAccepts,
    /// A write is refused only if some other permit of that slot with a larger token had been granted before. So live
    /// holders of different slots never refuse each other. Holds under every fault.
    FenceRefuses,
    /// Whoever queues is served in order: what becomes a holder does not pass a waiter that queued before it and goes on
    /// waiting, and waiters keep their order. Between two records of one server that lost nothing in between. Assumes that
    /// the client of the one that is passed was calm for its patience: who is not heard of for so long may lose its place.
    /// And whoever leaves the queue has its permit within 500 ms, if it gets one, while its client is calm from one ttl
    /// before until then and nobody changes the limit. Needs records.
    Fifo,
    /// A permit that is handed to a waiter is taken within 500 ms while its client is calm from one ttl before until then.
    /// One that is handed to a waiter whose client is dead or stands still is kept for one window; assumes that no late
    /// message of that client may be on its way: no network fault befell it since an operation's timeout before it stopped.
    /// One that has been dead for longer than its patience, three looks and an operation, is handed nothing. Needs records.
    HandOver,
    /// A waiter at the head of the queue that could be served does not wait on: not longer than 500 ms while everybody is
    /// calm, and never longer than the longest ttl, a window and 5 s (the look of those who rely on messages) in sum. Of a
    /// name that has a waiter whose client acts, on a server that serves. Where waiters are only woken, and a server has
    /// forgotten or refused something or a wake-up may have gone to a place that should be gone, only the latter. Needs
    /// records.
    IdlePermit,
    /// The grants and releases of a name form the history of a mutex, a fenced mutex or N permits: see
    /// [`linearizable`](crate::check::linearizable). Assumes that no server lost data, none served beside another, and no
    /// clock stepped.
    Linearizable,
    /// A call ends once; nothing is granted that was not asked for, or twice, or after its loss; and a loss is told once.
    /// Holds under every fault.
    LossFinal,
    /// Whoever acts on a permit has a lease on some server, and nobody else is given one of the same slot meanwhile: a loss
    /// is told before the permit can be granted to another. Exempt, for one notice after calm and one ttl at most, are
    /// permits that a server forgot, that were taken by force, or whose lease a clock cut short. Needs records.
    LossTold,
    /// What is over for its client is gone from the servers one ttl later: a release is sent again for one ttl, after
    /// which the lease has ended; waiters last for their patience (three looks and an operation) as well. Counted from
    /// when the client is calm, since messages that were held may arrive late; nothing is said where a clock of everybody
    /// stepped. Where lease time is stepless half a ttl more, as long as a calm client waits in the queue. Needs records.
    NoLeak,
    /// A loss has a reason: its lease was gone from a server that served, it was taken by force, the client closed, a server
    /// refused, or no refresh got through. That has a reason where a fault befell its client or everybody within the last
    /// notice, and has not ceased for so long that a refresh which was sent again got through: two operations and a step
    /// between them. Holds under every fault.
    NoSpuriousLoss,
    /// An error has a reason: within the 5 s before the call or during it a fault befell its client or everybody, no
    /// server served, an operator took something of that name by force or changed its limit. Holds under every fault.
    NoUnexplainedError,
    /// After everything was given back, the last record of each name on a serving master shows no lease that still runs and
    /// no waiter, other than of dead clients. Assumes that no clock of a server was off. Needs records.
    NothingLeft,
    /// A client has no more leases and places in the queue of a name than acquisitions that are open, or that may not be
    /// gone yet by [`NoLeak`](Self::NoLeak); and a lease that runs keeps its token and its slots. Needs records that know
    /// clients.
    OnePermitPerOp,
    /// Where a fault rightly made two permits of one slot be acted on at once, it is over in time: one notice after the
    /// older's client is calm again and the server that keeps its lease serves no more, and never later than one ttl after
    /// that server served last or the newer was granted. Where a clock is the reason: one ttl after the newer was granted.
    OverlapBound,
    /// What is over is gone from the servers within 500 ms, while its client is calm from one ttl before until then. Where
    /// it is not, but no server refuses, it is gone once every fault has ceased for two operations and a step between them,
    /// if that is within one ttl: a release is sent again. Needs records.
    PromptReturn,
    /// A release answers *held* only where the loss had not been told, answers once, and answers *held* where the lease was
    /// there and nobody disturbed.
    ReleaseByHolder,
    /// By the time everything was given back, whoever waited without end has been answered. Who waits for a time is
    /// answered within it, an operation's timeout and 100 ms, and told so no earlier than it; who does not wait, within an
    /// operation. Time that the client stands still does not count. Assumes that its clock is right to 1 %, and for a wait
    /// without end that no clock of a server was off before: a lease that nobody gives back lasts until that clock says.
    Served,
    /// In every record leases have slots of their own, within the largest limit that was ever in force, and a grant does
    /// not exceed the limit in force: the override, or else the claim's own. Holds under every fault. Needs records.
    ServerLimit,
    /// Only its holder ends a lease: one that vanishes from a record before its end was given back, taken by force, or
    /// forgotten by the server. Says nothing once a clock of everybody was off, and while
    /// one steps where lease time is stepless. Needs records.
    Stolen,
    /// The token of a grant is larger than that of each grant that had returned before this one was asked for, and smaller
    /// where this one comes from a server of an older epoch.
    ///
    /// Assumes that the servers' clocks agree within an hour and splits are shorter; where two or more servers in a row
    /// lost data, or one lost all of it, that no clock was off meanwhile; that data is not lost three times
    /// within four seconds; and that a server which is promoted beside another knows of at least one grant of the
    /// deployment.
    TokenOrder,
    /// No two acquisitions of a name have the same token. Holds under every fault.
    TokenUnique,
}

impl Invariant {
    /// Every one, by name.
    pub const ALL: [Self; 25] = [
        Self::Acknowledged,
        Self::AtMostLimit,
        Self::EndFinal,
        Self::ExclusiveSlot,
        Self::FenceAccepts,
        Self::FenceRefuses,
        Self::Fifo,
        Self::HandOver,
        Self::IdlePermit,
        Self::Linearizable,
        Self::LossFinal,
        Self::LossTold,
        Self::NoLeak,
        Self::NoSpuriousLoss,
        Self::NoUnexplainedError,
        Self::NothingLeft,
        Self::OnePermitPerOp,
        Self::OverlapBound,
        Self::PromptReturn,
        Self::ReleaseByHolder,
        Self::Served,
        Self::ServerLimit,
        Self::Stolen,
        Self::TokenOrder,
        Self::TokenUnique,
    ];

    /// Its name in reports, one lower-case word with hyphens.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::AtMostLimit => "at-most-limit",
            Self::EndFinal => "end-final",
            Self::ExclusiveSlot => "exclusive-slot",
            Self::FenceAccepts => "fence-accepts",
            Self::FenceRefuses => "fence-refuses",
            Self::Fifo => "fifo",
            Self::HandOver => "hand-over",
            Self::IdlePermit => "idle-permit",
            Self::Linearizable => "linearizable",
            Self::LossFinal => "loss-final",
            Self::LossTold => "loss-told",
            Self::NoLeak => "no-leak",
            Self::NoSpuriousLoss => "no-spurious-loss",
            Self::NoUnexplainedError => "no-unexplained-error",
            Self::NothingLeft => "nothing-left",
            Self::OnePermitPerOp => "one-permit-per-op",
            Self::OverlapBound => "overlap-bound",
            Self::PromptReturn => "prompt-return",
            Self::ReleaseByHolder => "release-by-holder",
            Self::Served => "served",
            Self::ServerLimit => "server-limit",
            Self::Stolen => "stolen",
            Self::TokenOrder => "token-order",
            Self::TokenUnique => "token-unique",
        }
    }
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}
