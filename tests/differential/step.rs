//! What is done to both servers.

use std::fmt;
use std::sync::Arc;

use semafence::script::Invocation;

use crate::quirks::Numbers;

/// Steps of one run. Cheap to clone, since shrinking does it all the time.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    /// One of our scripts, by its SHA-1, and in full when that is not known.
    Call(Arc<Invocation>),
    /// The clock moves by so many microseconds.
    Clock(i64),
    /// A command from outside of any script.
    Command(Vec<Vec<u8>>),
    /// `SCRIPT FLUSH`.
    ForgetScripts,
    /// All keys and messages are compared.
    Look,
    /// Another `master_replid`, as after a failover.
    NewGeneration,
    /// What the server refuses from now on.
    Refuse(Refusal),
    /// Any script.
    Script(Arc<Source>),
}

/// What a server refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Commands that may need memory: it is used up.
    Growth,
    Nothing,
    /// Commands that write: too few replicas.
    Writes,
}

impl Refusal {
    /// How a server is brought to it.
    pub(crate) const fn settings(self) -> [[&'static str; 4]; 2] {
        let (memory, replicas) = match self {
            Self::Growth => ("1", "0"),
            Self::Nothing => ("0", "0"),
            Self::Writes => ("0", "1"),
        };
        [
            ["CONFIG", "SET", "maxmemory", memory],
            ["CONFIG", "SET", "min-replicas-to-write", replicas],
        ]
    }
}

/// A script and what it is called with.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) text: String,
    pub(crate) keys: Vec<Vec<u8>>,
    pub(crate) args: Vec<Vec<u8>>,
}

/// A run: its steps, and how its replies are compared.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) steps: Vec<Step>,
    pub(crate) numbers: Numbers,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(call) => {
                let args: Vec<_> = call.args().map(|arg| format!("{arg:?}")).collect();
                write!(f, "{} of {}: {}", call.script.name, call.keys()[0], args.join(" "))
            }
            Self::Clock(us) => write!(f, "clock {us:+} us"),
            Self::Command(words) => f.write_str(&shown(words)),
            Self::ForgetScripts => f.write_str("SCRIPT FLUSH"),
            Self::Look => f.write_str("compare all keys and messages"),
            Self::NewGeneration => f.write_str("another master_replid"),
            Self::Refuse(refusal) => write!(
                f,
                "refuse {refusal:?}: {}",
                refusal.settings().map(|set| set.join(" ")).join(", ")
            ),
            Self::Script(source) => {
                let Source { text, keys, args } = &**source;
                // What every script of a generator begins with tells nothing.
                let text = text.split_once("--\n").map_or(text.as_str(), |(_, own)| own);
                // More are there only to be declared.
                let keys = shown(&keys[..keys.len().min(3)]);
                write!(f, "EVAL {text:?}, keys {keys}, arguments {}", shown(args))
            }
        }
    }
}

fn shown(words: &[Vec<u8>]) -> String {
    let words: Vec<_> = words
        .iter()
        .map(|word| format!("\"{}\"", word.escape_ascii()))
        .collect();
    words.join(" ")
}
