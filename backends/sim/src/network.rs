//! What happens to a message on its way.

use std::fmt::{self, Debug};
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::random::draw;
use crate::timeline::WorldTime;

/// One connection of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// What the caller's tasks send.
    Commands,
    /// What the keeper sends.
    Keeper,
    /// Subscriptions, and the messages that the server pushes.
    Push,
    /// What waits for replicas.
    Acks,
}

impl Link {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Commands, Self::Keeper, Self::Push, Self::Acks];
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Commands => "commands",
            Self::Keeper => "keeper",
            Self::Push => "push",
            Self::Acks => "acks",
        })
    }
}

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// From the client to the server.
    Request,
    /// From the server to the client: replies and pushes.
    Reply,
}

/// A message that is about to travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// World time when it is sent.
    pub at: Duration,
    /// The number of the client process, from 1.
    pub client: u32,
    /// The deployment at the other end, from 0.
    pub site: u32,
    /// Its connection.
    pub link: Link,
    /// Which way it goes.
    pub direction: Direction,
    /// Its number on that connection in that direction, from 1.
    pub number: u64,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verdict {
    /// It arrives after its latency, behind those sent before it on the same connection.
    #[default]
    Deliver,
    /// It arrives later by so much, and later ones pass it, as if it had been sent over a connection since replaced.
    Delay(Duration),
    /// It never arrives. The connection stays: a client learns of it by waiting.
    Drop,
    /// It arrives, and once more so much later.
    Duplicate(Duration),
    /// It stays where it is until [`Process::deliver`](crate::Process::deliver).
    Hold,
}

/// Decides about every message that is not lost for another reason already.
///
/// # Contract
///
/// The verdict depends on the message alone, or on what the implementation was built with: a run of one seed must
/// repeat.
pub trait Faults: Send {
    /// What becomes of `message`.
    fn judge(&mut self, message: &Message) -> Verdict;
}

impl<F: FnMut(&Message) -> Verdict + Send> Faults for F {
    fn judge(&mut self, message: &Message) -> Verdict {
        self(message)
    }
}

/// A network without faults.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    fn judge(&mut self, _: &Message) -> Verdict {
        Verdict::Deliver
    }
}

/// How long one message takes by default, one way.
const LATENCY: RangeInclusive<Duration> = Duration::from_micros(200)..=Duration::from_micros(1_800);

/// One direction of a connection. `T` is what travels.
#[derive(Debug)]
pub(crate) struct Way<T> {
    sent: u64,
    last_arrival: WorldTime,
    latency: RangeInclusive<Duration>,
    pub(crate) cut: bool,
    pub(crate) drop_next: u64,
    pub(crate) holding: bool,
    pub(crate) held: Vec<T>,
}

impl<T> Default for Way<T> {
    fn default() -> Self {
        Self {
            sent: 0,
            last_arrival: WorldTime::ZERO,
            latency: LATENCY,
            cut: false,
            drop_next: 0,
            holding: false,
            held: Vec::new(),
        }
    }
}

/// What a way itself does with a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Held,
    Lost,
    Travels,
}

impl<T> Way<T> {
    /// Numbers the next message and says what the way does with it.
    pub(crate) fn next(&mut self) -> (u64, Fate) {
        self.sent += 1;
        let fate = if self.cut {
            Fate::Lost
        } else if self.drop_next > 0 {
            self.drop_next -= 1;
            Fate::Lost
        } else if self.holding {
            Fate::Held
        } else {
            Fate::Travels
        };
        (self.sent, fate)
    }

    pub(crate) fn set_latency(&mut self, latency: RangeInclusive<Duration>) {
        self.latency = latency;
    }

    /// How long message `number` of this way takes.
    pub(crate) fn latency(&self, seed: u64, path: [u64; 4]) -> Duration {
        let (shortest, longest) = (self.latency.start(), self.latency.end());
        let spread_us = u64::try_from(longest.saturating_sub(*shortest).as_micros()).unwrap_or(u64::MAX - 1);
        *shortest + Duration::from_micros(draw(seed, &path) % (spread_us + 1))
    }

    /// Keeps the order of a connection: nothing arrives before what was sent earlier.
    pub(crate) fn in_order(&mut self, arrival: WorldTime) -> WorldTime {
        self.last_arrival = self.last_arrival.max(arrival);
        self.last_arrival
    }
}
