//! What happened, as text that two runs of one seed share to the last byte.

use std::collections::VecDeque;
use std::fmt::{self, Display};
use std::sync::Arc;

use crate::database::Resp;
use crate::network::{Direction, Link};
use crate::node::Call;
use crate::timeline::WorldTime;

/// The most lines that are kept; older ones are forgotten.
const LINES_MAX: usize = 200_000;

/// A connection of a process, as the trace names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Wire {
    pub(crate) client: u32,
    pub(crate) site: u32,
    pub(crate) link: Link,
}

impl Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {} {}", self.client, self.link)?;
        if self.site > 0 {
            write!(f, " to site {}", self.site)?;
        }
        Ok(())
    }
}

/// One thing that happened.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Lost(Wire, Direction, u64),
    Note(String),
    Pushed(Wire, Vec<u8>),
    Ran(Wire, Arc<[Call]>, Vec<Resp>),
}

/// Kept as data and printed when asked for, since most runs never look.
#[derive(Debug)]
pub(crate) struct Trace {
    events: VecDeque<(WorldTime, Event)>,
    pub(crate) kept: bool,
}

impl Default for Trace {
    fn default() -> Self {
        Self {
            events: VecDeque::new(),
            kept: true,
        }
    }
}

impl Trace {
    pub(crate) fn add(&mut self, at: WorldTime, event: impl FnOnce() -> Event) {
        if !self.kept {
            return;
        }
        if self.events.len() == LINES_MAX {
            self.events.pop_front();
        }
        self.events.push_back((at, event()));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.last_lines(self.events.len())
    }

    pub(crate) fn last_lines(&self, count: usize) -> Vec<String> {
        let line = |(at, event): &(WorldTime, Event)| format!("{:>12.6} {event}", at.as_secs_f64());
        let older = self.events.len().saturating_sub(count);
        self.events.iter().skip(older).map(line).collect()
    }
}

impl Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lost(wire, Direction::Request, number) => write!(f, "{wire}: request {number} lost"),
            Self::Lost(wire, Direction::Reply, number) => write!(f, "{wire}: reply {number} lost"),
            Self::Note(text) => f.write_str(text),
            Self::Pushed(wire, message) => write!(f, "{wire}: push {}", String::from_utf8_lossy(message)),
            Self::Ran(wire, calls, replies) => {
                write!(f, "{wire}:")?;
                calls
                    .iter()
                    .zip(replies)
                    .try_for_each(|(call, reply)| write!(f, " {call} -> {reply};"))
            }
        }
    }
}

impl Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (keys, args) = match self {
            Self::Command(words) => (&[][..], &words[1..]),
            Self::Script { keys, args, .. } => (&keys[..1], &args[..]),
        };
        f.write_str(&self.verb())?;
        let words = keys.iter().chain(args);
        words
            .map(|word| String::from_utf8_lossy(word))
            .try_for_each(|word| write!(f, " {}", word.escape_debug()))
    }
}

impl Display for Resp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Array(items) => {
                f.write_str("[")?;
                for (index, item) in items.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{item}")?;
                }
                f.write_str("]")
            }
            Self::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Self::Error(text) => write!(f, "error {text}"),
            Self::Int(number) => write!(f, "{number}"),
            Self::Nil => f.write_str("nil"),
            Self::Status(text) => f.write_str(text),
        }
    }
}
