//! Faults as data: what befalls whom, when and for how long.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::names::name_of;
use super::words::{ParsePlanError, Words, ms};
use crate::history::Trouble;
use crate::network::{Direction, Link};

/// One fault of a [`Plan`](super::Plan). Prints as a line of text, and is read back from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// When it begins, in world time.
    pub at: Duration,
    /// What it does.
    pub verb: Verb,
}

/// What a fault does. Clients are counted from 1; a client that dies is replaced by another of the same number after a
/// while. Where no server is named it befalls whoever is the master.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "client, link and length say themselves what they are")]
#[non_exhaustive]
pub enum Verb {
    /// Loses all messages of a client, both ways.
    Partition { client: u32, length: Duration },
    /// Loses all messages of one connection one way: half open.
    Cut {
        client: u32,
        link: Link,
        direction: Direction,
        length: Duration,
    },
    /// Keeps messages back and delivers them at the end, when their client has long given up.
    Hold {
        client: u32,
        link: Link,
        direction: Direction,
        length: Duration,
    },
    /// Loses the next messages of a connection.
    Drop {
        client: u32,
        link: Link,
        direction: Direction,
        count: u64,
    },
    /// Delivers each of the next messages twice, the second time so much later.
    Duplicate {
        client: u32,
        link: Link,
        direction: Direction,
        count: u64,
        after: Duration,
    },
    /// Delivers the next messages so much later, behind those sent after them.
    Delay {
        client: u32,
        link: Link,
        direction: Direction,
        count: u64,
        by: Duration,
    },
    /// Loses, repeats or delays one in so many messages of everybody.
    Noise { one_in: u64, length: Duration },
    /// Does not hear of failovers, and must notice for itself.
    Deaf { client: u32, length: Duration },
    /// Stops a process.
    Pause { client: u32, length: Duration },
    /// Suspends a machine with these processes on it.
    Suspend { first: u32, last: u32, length: Duration },
    /// Kills a process.
    Kill { client: u32 },
    /// Lets a process's clock run at another rate.
    Drift { client: u32, ppm: i32, length: Duration },
    /// Lets a process's clock run fast and slow in turn, each for half a period.
    Wobble {
        client: u32,
        ppm: i32,
        period: Duration,
        length: Duration,
    },
    /// Steps a process's wall clock.
    StepWall { client: u32, by_ms: i64 },
    /// Stops the master without closing its connections.
    Freeze { length: Duration },
    /// Kills the master, which starts again with its data.
    Crash { length: Duration },
    /// Kills the master, which starts again without its data.
    Restart { length: Duration },
    /// Kills the master, which starts again with the data that it had so long before. Begins when that is saved.
    Revert { age: Duration, length: Duration },
    /// Forgets all scripts.
    FlushScripts,
    /// Deletes everything.
    FlushAll,
    /// Evicts one key of a semaphore, by its last part.
    Evict { part: Part },
    /// Answers with an error.
    Refuse { how: Refusal, length: Duration },
    /// Steps the clock of a server.
    StepClock { server: u32, by_ms: i64 },
    /// Lets the clock of a server run at another rate.
    DriftClock { server: u32, ppm: i32, length: Duration },
    /// Lets the clock of a server run fast and slow in turn.
    WobbleClock {
        server: u32,
        ppm: i32,
        period: Duration,
        length: Duration,
    },
    /// Delays what a replica hears.
    Lag {
        server: u32,
        by: Duration,
        length: Duration,
    },
    /// Kills the master, whose replicas have heard nothing for `lost`, and promotes one after `detected`.
    Failover { lost: Duration, detected: Duration },
    /// Stops the master instead of killing it, and promotes a replica; it wakes up after `length`.
    Hang { detected: Duration, length: Duration },
    /// Cuts the master off with some clients, and promotes a replica on the other side.
    Split {
        first: u32,
        last: u32,
        detected: Duration,
        length: Duration,
    },
    /// An operator takes the permit of whoever has held longest.
    Force,
    /// An operator stores a limit, and clears it again.
    Resize { limit: u32, length: Duration },
}

/// A key of a semaphore, or of the deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "they are called like the keys")]
pub enum Part {
    Free,
    Generation,
    Inboxes,
    Leases,
    Queue,
    State,
}

/// An error that a server answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `LOADING`, to everything.
    Loading,
    /// `OOM`, to what may need memory.
    Memory,
    /// `MISCONF`, to writes.
    Misconfigured,
    /// `NOPERM`, to everything: what the user may not do stays forbidden.
    Rights,
}

const PARTS: [(&str, Part); 6] = [
    ("free", Part::Free),
    ("generation", Part::Generation),
    ("inboxes", Part::Inboxes),
    ("leases", Part::Leases),
    ("queue", Part::Queue),
    ("state", Part::State),
];
const REFUSALS: [(&str, Refusal); 4] = [
    ("loading", Refusal::Loading),
    ("memory", Refusal::Memory),
    ("misconfigured", Refusal::Misconfigured),
    ("rights", Refusal::Rights),
];
const LINKS: [(&str, Link); 4] = [
    ("commands", Link::Commands),
    ("keeper", Link::Keeper),
    ("push", Link::Push),
    ("acks", Link::Acks),
];
const DIRECTIONS: [(&str, Direction); 2] = [("requests", Direction::Request), ("replies", Direction::Reply)];

impl Verb {
    /// How long it lasts by itself.
    #[must_use]
    pub fn length(&self) -> Duration {
        match self {
            Self::Cut { length, .. }
            | Self::Crash { length }
            | Self::Deaf { length, .. }
            | Self::Drift { length, .. }
            | Self::DriftClock { length, .. }
            | Self::Freeze { length }
            | Self::Hold { length, .. }
            | Self::Lag { length, .. }
            | Self::Noise { length, .. }
            | Self::Partition { length, .. }
            | Self::Pause { length, .. }
            | Self::Refuse { length, .. }
            | Self::Resize { length, .. }
            | Self::Restart { length }
            | Self::Suspend { length, .. }
            | Self::Wobble { length, .. }
            | Self::WobbleClock { length, .. } => *length,
            Self::Failover { lost, detected } => *lost + *detected,
            Self::Revert { age, length } => *age + *length,
            Self::Hang { detected, length } | Self::Split { detected, length, .. } => (*detected).max(*length),
            Self::Duplicate { after, .. } => *after,
            Self::Delay { by, .. } => *by,
            Self::Drop { .. }
            | Self::Evict { .. }
            | Self::FlushAll
            | Self::FlushScripts
            | Self::Force
            | Self::Kill { .. }
            | Self::StepClock { .. }
            | Self::StepWall { .. } => Duration::ZERO,
        }
    }

    /// What it can excuse, if anything.
    #[must_use]
    pub fn trouble(&self) -> Option<Trouble> {
        Some(match self {
            Self::Cut { .. }
            | Self::Crash { .. }
            | Self::Deaf { .. }
            | Self::Delay { .. }
            | Self::Drop { .. }
            | Self::Duplicate { .. }
            | Self::Failover { .. }
            | Self::Freeze { .. }
            | Self::Hang { .. }
            | Self::Hold { .. }
            | Self::Noise { .. }
            | Self::Partition { .. }
            | Self::Restart { .. }
            | Self::Revert { .. }
            | Self::Split { .. } => Trouble::Network,
            Self::Evict { .. } | Self::FlushAll => Trouble::Memory,
            Self::Kill { .. } | Self::Pause { .. } | Self::Suspend { .. } => Trouble::Process,
            Self::Refuse { .. } => Trouble::Refusal,
            Self::Lag { .. } => Trouble::Lag,
            Self::StepClock { .. } => Trouble::Clock,
            // Within the drift allowance, or of no effect by design.
            Self::Drift { .. }
            | Self::DriftClock { .. }
            | Self::FlushScripts
            | Self::Force
            | Self::Resize { .. }
            | Self::StepWall { .. }
            | Self::Wobble { .. }
            | Self::WobbleClock { .. } => return None,
        })
    }

    /// The clients that it befalls; `None` for everybody.
    #[must_use]
    pub fn clients(&self) -> Option<RangeInclusive<u32>> {
        match self {
            Self::Partition { client, .. }
            | Self::Cut { client, .. }
            | Self::Hold { client, .. }
            | Self::Drop { client, .. }
            | Self::Duplicate { client, .. }
            | Self::Delay { client, .. }
            | Self::Deaf { client, .. }
            | Self::Pause { client, .. }
            | Self::Kill { client }
            | Self::Drift { client, .. }
            | Self::Wobble { client, .. }
            | Self::StepWall { client, .. } => Some(*client..=*client),
            Self::Suspend { first, last, .. } => Some(*first..=*last),
            _ => None,
        }
    }

    /// The clients that its line names: also those that a split cuts off, which befalls everybody.
    pub(super) fn named_clients(&self) -> Option<RangeInclusive<u32>> {
        match self {
            Self::Split { first, last, .. } => Some(*first..=*last),
            _ => self.clients(),
        }
    }

    /// The server that its line names.
    pub(super) fn named_server(&self) -> Option<u32> {
        match self {
            Self::DriftClock { server, .. }
            | Self::Lag { server, .. }
            | Self::StepClock { server, .. }
            | Self::WobbleClock { server, .. } => Some(*server),
            _ => None,
        }
    }

    /// The same where there are only so many clients; `None` if it would befall none of them.
    pub(super) fn among(mut self, clients: u32) -> Option<Self> {
        if self.named_clients().is_some_and(|named| *named.start() > clients) {
            return None;
        }
        if let Self::Split { last, .. } | Self::Suspend { last, .. } = &mut self {
            *last = (*last).min(clients);
        }
        Some(self)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", ms(self.at), self.verb)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wire = |link, direction| format!("link={} way={}", name_of(&LINKS, link), name_of(&DIRECTIONS, direction));
        match self {
            Self::Partition { client, length } => write!(f, "partition client={client} for={}", ms(*length)),
            Self::Cut {
                client,
                link,
                direction,
                length,
            } => {
                write!(f, "cut client={client} {} for={}", wire(link, direction), ms(*length))
            }
            Self::Hold {
                client,
                link,
                direction,
                length,
            } => {
                write!(f, "hold client={client} {} for={}", wire(link, direction), ms(*length))
            }
            Self::Drop {
                client,
                link,
                direction,
                count,
            } => {
                write!(f, "drop client={client} {} count={count}", wire(link, direction))
            }
            Self::Duplicate {
                client,
                link,
                direction,
                count,
                after,
            } => {
                let wire = wire(link, direction);
                write!(f, "duplicate client={client} {wire} count={count} after={}", ms(*after))
            }
            Self::Delay {
                client,
                link,
                direction,
                count,
                by,
            } => {
                write!(
                    f,
                    "delay client={client} {} count={count} by={}",
                    wire(link, direction),
                    ms(*by)
                )
            }
            Self::Noise { one_in, length } => write!(f, "noise one-in={one_in} for={}", ms(*length)),
            Self::Deaf { client, length } => write!(f, "deaf client={client} for={}", ms(*length)),
            Self::Pause { client, length } => write!(f, "pause client={client} for={}", ms(*length)),
            Self::Suspend { first, last, length } => write!(f, "suspend clients={first}-{last} for={}", ms(*length)),
            Self::Kill { client } => write!(f, "kill client={client}"),
            Self::Drift { client, ppm, length } => write!(f, "drift client={client} ppm={ppm} for={}", ms(*length)),
            Self::Wobble {
                client,
                ppm,
                period,
                length,
            } => {
                write!(
                    f,
                    "wobble client={client} ppm={ppm} period={} for={}",
                    ms(*period),
                    ms(*length)
                )
            }
            Self::StepWall { client, by_ms } => write!(f, "step-wall client={client} by={by_ms}ms"),
            Self::Freeze { length } => write!(f, "freeze for={}", ms(*length)),
            Self::Crash { length } => write!(f, "crash for={}", ms(*length)),
            Self::Restart { length } => write!(f, "restart-empty for={}", ms(*length)),
            Self::Revert { age, length } => write!(f, "revert age={} for={}", ms(*age), ms(*length)),
            Self::FlushScripts => f.write_str("flush-scripts"),
            Self::FlushAll => f.write_str("flush-all"),
            Self::Evict { part } => write!(f, "evict key={}", name_of(&PARTS, part)),
            Self::Refuse { how, length } => write!(f, "refuse how={} for={}", name_of(&REFUSALS, how), ms(*length)),
            Self::StepClock { server, by_ms } => write!(f, "step_clock server={server} by={by_ms}ms"),
            Self::DriftClock { server, ppm, length } => {
                write!(f, "drift_clock server={server} ppm={ppm} for={}", ms(*length))
            }
            Self::WobbleClock {
                server,
                ppm,
                period,
                length,
            } => {
                write!(
                    f,
                    "wobble_clock server={server} ppm={ppm} period={} for={}",
                    ms(*period),
                    ms(*length)
                )
            }
            Self::Lag { server, by, length } => write!(f, "lag server={server} by={} for={}", ms(*by), ms(*length)),
            Self::Failover { lost, detected } => {
                write!(f, "failover lost={} detected={}", ms(*lost), ms(*detected))
            }
            Self::Hang { detected, length } => write!(f, "hang detected={} for={}", ms(*detected), ms(*length)),
            Self::Split {
                first,
                last,
                detected,
                length,
            } => {
                write!(
                    f,
                    "split clients={first}-{last} detected={} for={}",
                    ms(*detected),
                    ms(*length)
                )
            }
            Self::Force => f.write_str("force"),
            Self::Resize { limit, length } => write!(f, "resize limit={limit} for={}", ms(*length)),
        }
    }
}

impl FromStr for Fault {
    type Err = ParsePlanError;

    fn from_str(line: &str) -> Result<Self, ParsePlanError> {
        let mut words = Words::new(line)?;
        let at = words.moment()?;
        let verb = verb(&mut words)?;
        words.end()?;
        Ok(Self { at, verb })
    }
}

fn verb(words: &mut Words<'_>) -> Result<Verb, ParsePlanError> {
    Ok(match words.verb().as_str() {
        "partition" => Verb::Partition {
            client: words.positive("client")?,
            length: words.time("for")?,
        },
        "cut" => Verb::Cut {
            client: words.positive("client")?,
            link: words.one_of("link", &LINKS)?,
            direction: words.one_of("way", &DIRECTIONS)?,
            length: words.time("for")?,
        },
        "hold" => Verb::Hold {
            client: words.positive("client")?,
            link: words.one_of("link", &LINKS)?,
            direction: words.one_of("way", &DIRECTIONS)?,
            length: words.time("for")?,
        },
        "drop" => Verb::Drop {
            client: words.positive("client")?,
            link: words.one_of("link", &LINKS)?,
            direction: words.one_of("way", &DIRECTIONS)?,
            count: words.positive("count")?,
        },
        "duplicate" => Verb::Duplicate {
            client: words.positive("client")?,
            link: words.one_of("link", &LINKS)?,
            direction: words.one_of("way", &DIRECTIONS)?,
            count: words.positive("count")?,
            after: words.time("after")?,
        },
        "delay" => Verb::Delay {
            client: words.positive("client")?,
            link: words.one_of("link", &LINKS)?,
            direction: words.one_of("way", &DIRECTIONS)?,
            count: words.positive("count")?,
            by: words.time("by")?,
        },
        "noise" => Verb::Noise {
            one_in: words.positive("one-in")?,
            length: words.time("for")?,
        },
        "deaf" => Verb::Deaf {
            client: words.positive("client")?,
            length: words.time("for")?,
        },
        "pause" => Verb::Pause {
            client: words.positive("client")?,
            length: words.time("for")?,
        },
        "suspend" => {
            let (first, last) = words.range("clients")?;
            Verb::Suspend {
                first,
                last,
                length: words.time("for")?,
            }
        }
        "kill" => Verb::Kill {
            client: words.positive("client")?,
        },
        "drift" => Verb::Drift {
            client: words.positive("client")?,
            ppm: words.ppm()?,
            length: words.time("for")?,
        },
        "wobble" => Verb::Wobble {
            client: words.positive("client")?,
            ppm: words.ppm()?,
            period: words.period()?,
            length: words.time("for")?,
        },
        "step-wall" => Verb::StepWall {
            client: words.positive("client")?,
            by_ms: words.step("by")?,
        },
        "freeze" => Verb::Freeze {
            length: words.time("for")?,
        },
        "crash" => Verb::Crash {
            length: words.time("for")?,
        },
        "restart-empty" => Verb::Restart {
            length: words.time("for")?,
        },
        "revert" => Verb::Revert {
            age: words.time("age")?,
            length: words.time("for")?,
        },
        "flush-scripts" => Verb::FlushScripts,
        "flush-all" => Verb::FlushAll,
        "evict" => Verb::Evict {
            part: words.one_of("key", &PARTS)?,
        },
        "refuse" => Verb::Refuse {
            how: words.one_of("how", &REFUSALS)?,
            length: words.time("for")?,
        },
        "step-clock" => Verb::StepClock {
            server: words.number("server")?,
            by_ms: words.step("by")?,
        },
        "drift-clock" => Verb::DriftClock {
            server: words.number("server")?,
            ppm: words.ppm()?,
            length: words.time("for")?,
        },
        "wobble-clock" => Verb::WobbleClock {
            server: words.number("server")?,
            ppm: words.ppm()?,
            period: words.period()?,
            length: words.time("for")?,
        },
        "lag" => Verb::Lag {
            server: words.number("server")?,
            by: words.time("by")?,
            length: words.time("for")?,
        },
        "failover" => Verb::Failover {
            lost: words.time("lost")?,
            detected: words.time("detected")?,
        },
        "hang" => Verb::Hang {
            detected: words.time("detected")?,
            length: words.time("for")?,
        },
        "split" => {
            let (first, last) = words.range("clients")?;
            Verb::Split {
                first,
                last,
                detected: words.time("detected")?,
                length: words.time("for")?,
            }
        }
        "force" => Verb::Force,
        "resize" => Verb::Resize {
            limit: words.limit()?,
            length: words.time("for")?,
        },
        _ => return Err(words.unknown_verb()),
    })
}
