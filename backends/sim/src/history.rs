//! What happened in a run as clients, servers and the guarded resource saw it: what the checker reads.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use semafence::{FencingToken, HolderId, LossReason, Standing};

use crate::sync::lock;

/// What happened, oldest first, each at a moment of one linear time: world time in a simulation, and against real
/// servers the monotonic clock of the one machine that records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// In the order in which it happened; times never go back.
    pub events: Vec<Event>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, counted from the start of the run.
    pub at: Duration,
    /// What.
    pub what: What,
}

/// One acquisition, from its invocation until its permit is gone; numbered within a history.
pub type Op = u64;

/// A server of a history: node `node` of deployment `site`. With one server both are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct ServerId {
    /// The deployment: a master with its replicas. Quorums have several.
    pub site: u32,
    /// The server within it.
    pub node: u32,
}

/// What can happen.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// A client asks for a permit.
    Asked(Asked),
    /// The call returned a permit: from here on the client believes that it holds.
    Granted {
        /// Which acquisition.
        op: Op,
        /// Its holder id.
        holder: HolderId,
        /// Its token.
        token: FencingToken,
        /// Its slots, ascending.
        slots: Vec<u32>,
        /// How many replicas acknowledged it; 0 where it did not wait for any.
        acks: u32,
    },
    /// The call ended without a permit.
    Ended {
        /// Which acquisition.
        op: Op,
        /// How.
        how: End,
    },
    /// The client was told that its permit is lost; it believes so from here on. At most one per acquisition.
    Lost {
        /// Which acquisition.
        op: Op,
        /// Why.
        reason: LossReason,
    },
    /// The client begins to give its permit back and does not believe in it any more.
    Returning {
        /// Which acquisition.
        op: Op,
        /// How.
        how: Return,
    },
    /// `release` returned.
    Returned {
        /// Which acquisition.
        op: Op,
        /// Where the permit stood, or the text of the error.
        answer: Result<Standing, String>,
    },
    /// The client showed slot and token to the guarded resource, believing that it holds when it sent the write.
    Wrote {
        /// Which acquisition.
        op: Op,
        /// The slot.
        slot: u32,
        /// Its token.
        token: FencingToken,
        /// Whether the resource admitted the write.
        admitted: bool,
    },
    /// A client process stands still: it believes what it believed, but does nothing.
    Paused {
        /// Which.
        client: u32,
    },
    /// It goes on.
    Resumed {
        /// Which.
        client: u32,
    },
    /// A client process ends without giving anything back.
    Died {
        /// Which.
        client: u32,
    },
    /// What a master knows of a name, after a command changed it. Where a run has no such events, the checker leaves out
    /// what it can only judge by them.
    Record(Record),
    /// A server was made the master of its site. Grants of servers that were promoted earlier belong to older epochs.
    Promoted {
        /// Which.
        server: ServerId,
        /// Which promotion of its site, from 1; the first master is epoch 0.
        epoch: u64,
        /// Whether writes of the master before it are missing.
        forgot: bool,
    },
    /// A server that was a master serves no more, or not as a master: it is down for good or a replica now.
    Demoted {
        /// Which.
        server: ServerId,
    },
    /// A master lost data.
    Forgot {
        /// Which.
        server: ServerId,
        /// Whether all of it, or only a key.
        all: bool,
    },
    /// The master of a site is followed by so many replicas, or has been and will be again.
    Followed {
        /// How many.
        replicas: u32,
    },
    /// A master began another generation of tokens: where clients ask for a grace, it grants nothing until that is over.
    Began {
        /// Which.
        server: ServerId,
    },
    /// An operator stored a limit that wins over the callers' own, or cleared it.
    Resized {
        /// Of which name.
        name: String,
        /// The limit.
        limit: Option<u32>,
    },
    /// An operator took a permit or a place in the queue by force.
    Forced {
        /// Of which name.
        name: String,
        /// Whose.
        holder: HolderId,
    },
    /// A fault begins.
    Disturbed(Disturbance),
    /// A fault does no more; what it has left behind may be felt until it is calmed.
    Ceased {
        /// Which fault, by its number.
        number: u32,
    },
    /// Its effects are over: what it made slower or impossible works again.
    Calmed {
        /// Which fault, by its number.
        number: u32,
    },
    /// From here on there are no faults, and no new work begins: whoever waits must be served.
    Healed,
    /// Everything was given back; from here on nobody should hold or wait.
    Quiesced,
}

impl What {
    /// Whether it is about one server: where a majority of several decides, no single one says who holds.
    pub(crate) fn is_of_one_server(&self) -> bool {
        matches!(
            self,
            Self::Began { .. }
                | Self::Demoted { .. }
                | Self::Followed { .. }
                | Self::Forgot { .. }
                | Self::Promoted { .. }
                | Self::Record(_)
        )
    }
}

/// A client asks for a permit.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The number of the acquisition.
    pub op: Op,
    /// The client process.
    pub client: u32,
    /// The semaphore.
    pub name: String,
    /// How many permits the client believes it has.
    pub limit: u32,
    /// How many it wants, all or none.
    pub weight: u32,
    /// The ttl of the lease.
    pub ttl: Duration,
    /// How often it is refreshed.
    pub refresh_interval: Duration,
    /// How long it waits.
    pub patience: Patience,
    /// For how long a server that took over grants nothing.
    pub grace: Duration,
    /// How many replicas its grant waits for.
    pub acks: u32,
    /// For how long; zero if it waits for none.
    pub acks_timeout: Duration,
    /// Whether its lease goes by stepless time.
    pub stepless: bool,
    /// Whether it wants its turn: the queue strategy. Others may be passed.
    pub queues: bool,
}

/// How long a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Patience {
    /// Until it has a permit.
    Endless,
    /// Not at all.
    None,
    /// So long.
    Timed(Duration),
}

/// How a call ended without a permit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// No permit was free.
    Busy,
    /// Its future was dropped.
    Cancelled,
    /// With an error; its text.
    Failed(String),
    /// Too few replicas confirmed its grant.
    Unacknowledged,
    /// Its time was up.
    TimedOut,
}

/// How a permit is given back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// Dropped.
    Dropped,
    /// By `release`.
    Released,
}

/// What a master knows of a name.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Which server.
    pub server: ServerId,
    /// The semaphore.
    pub name: String,
    /// The limit override, if one is stored.
    pub limit: Option<u32>,
    /// Its live leases.
    pub holders: Vec<Lease>,
    /// Who waits, in the order in which they are served: those who are handed a permit, then those who are only woken.
    pub waiters: Vec<Waiter>,
}

/// A lease on a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Lease {
    /// Whose.
    pub holder: HolderId,
    /// The client process that asked, if the recorder knows.
    pub client: Option<u32>,
    /// The token.
    pub token: FencingToken,
    /// The slots, ascending.
    pub slots: Vec<u32>,
    /// When it ends by the server's clock unless it is refreshed, as a moment of the history's time.
    pub ends: Duration,
}

/// A waiter on a server.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiter {
    /// Whose.
    pub holder: HolderId,
    /// The client process that asked, if the recorder knows.
    pub client: Option<u32>,
    /// How many permits it wants.
    pub weight: u32,
    /// Whether it is handed a permit, in order; otherwise it is only woken.
    pub queues: bool,
}

/// A fault, as far as the checker has to know it.
#[derive(Debug, Clone, PartialEq)]
pub struct Disturbance {
    /// Its number within the history.
    pub number: u32,
    /// What it can excuse.
    pub trouble: Trouble,
    /// Whom it befalls; `None` for everybody.
    pub client: Option<u32>,
    /// The fault as its plan words it.
    pub text: String,
}

/// What a fault can excuse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Clocks that step, or differ in rate by more than the drift allowance: leases end early or late.
    Clock,
    /// A server that took over grants nothing: its grace.
    Grace,
    /// A replica is slower than usual to follow its master. It excuses nothing but a grant that too few acknowledged.
    Lag,
    /// A server forgets what it has confirmed. What it forgot, and when, is told by [`What::Forgot`] and
    /// [`What::Promoted`].
    Memory,
    /// Messages are lost, late or repeated; a client cannot reach its server or its server does not answer.
    Network,
    /// A client process stands still or dies.
    Process,
    /// A server refuses what it is asked.
    Refusal,
    /// Clocks that step where lease time is stepless: no lease ends early, and some end late.
    Step,
}

impl fmt::Display for ServerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.site, self.node)
    }
}

/// Collects a history; clones write into the same one.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// use semafence_sim::history::{Recorder, What};
///
/// let recorder = Recorder::default();
/// recorder.add(Duration::from_secs(1), What::Paused { client: 1 });
///
/// assert_eq!(recorder.history().events.len(), 1);
/// ```
#[derive(Debug, Clone, Default)]
pub struct Recorder(Arc<Mutex<Collected>>);

#[derive(Debug, Default)]
struct Collected {
    history: History,
    ops: Op,
}

impl Recorder {
    /// Adds what happened at `at`; something that is told late counts as happening now.
    pub fn add(&self, at: Duration, what: What) {
        let mut collected = lock(&self.0);
        let events = &mut collected.history.events;
        let at = events.last().map_or(at, |last| last.at.max(at));
        events.push(Event { at, what });
    }

    /// The number of a new acquisition, from 1.
    #[must_use]
    pub fn next_op(&self) -> Op {
        let mut collected = lock(&self.0);
        collected.ops += 1;
        collected.ops
    }

    /// What was collected so far.
    #[must_use]
    pub fn history(&self) -> History {
        lock(&self.0).history.clone()
    }
}
