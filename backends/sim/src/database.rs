//! What the commands of one server act on.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::commands::{self, Access, Command};
use crate::keyspace::{Bytes, Keyspace};

/// A reply as it goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resp {
    Array(Vec<Self>),
    Bulk(Bytes),
    Error(String),
    Int(i64),
    Nil,
    Status(Cow<'static, str>),
}

impl Resp {
    pub(crate) fn ok() -> Self {
        Self::status("OK")
    }

    pub(crate) fn status(text: &'static str) -> Self {
        Self::Status(Cow::Borrowed(text))
    }

    pub(crate) fn bulk(bytes: &[u8]) -> Self {
        Self::Bulk(bytes.to_vec())
    }

    pub(crate) fn count(number: usize) -> Self {
        Self::Int(i64::try_from(number).expect("a simulated collection fits into memory"))
    }

    pub(crate) fn error(text: impl Into<String>) -> Self {
        Self::Error(text.into())
    }
}

impl From<Option<&[u8]>> for Resp {
    fn from(bytes: Option<&[u8]>) -> Self {
        bytes.map_or(Self::Nil, Self::bulk)
    }
}

/// The keyspace of one server and what surrounds it while a command runs.
#[derive(Debug, Default)]
pub(crate) struct Database {
    pub(crate) keys: Keyspace,
    /// The server's clock, us since the Unix epoch. It stands still while a script runs.
    pub(crate) now_us: i64,
    /// 40 hexadecimal digits, fresh for each incarnation.
    pub(crate) replid: String,
    /// How many replicas are connected.
    pub(crate) replicas: usize,
    /// How many listen on a channel.
    pub(crate) listeners: BTreeMap<Bytes, usize>,
    /// Messages in the order in which they were published, until the world takes them.
    pub(crate) published: Vec<(Bytes, Bytes)>,
    /// The keys that the running script declared; `None` outside of a script.
    pub(crate) declared: Option<Arc<[Bytes]>>,
    /// The running script has changed something, so what follows must be let through.
    pub(crate) wrote: bool,
    /// Keys that scripts touched without declaring them.
    pub(crate) violations: BTreeSet<String>,
    /// What is answered with an error, and with which.
    pub(crate) refused: Option<(Refused, String)>,
    /// Why data may not be changed now: a replica, or too few of them.
    pub(crate) read_only: Option<&'static str>,
    /// Whether changes are noted in `effects`.
    pub(crate) has_replicas: bool,
    /// The command that runs has written what was there already, which replicas are not told.
    pub(crate) is_idle: bool,
    /// The commands that changed something, as replicas are to repeat them, until the world takes them.
    pub(crate) effects: Vec<Effect>,
    counts: Vec<u64>,
}

/// A command that changes data, in a form that has the same effect later and elsewhere.
pub(crate) type Effect = Vec<Bytes>;

/// Which commands a server refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Every one: no rights, or still loading.
    All,
    /// This one, also inside scripts: an ACL that lacks it.
    Command(String),
    /// Those that may need memory, unless the same script has changed something before: no memory left.
    Growth,
    /// Those that change data, also inside scripts: a replica.
    Writes,
}

impl Database {
    /// Sets the clock that commands and expiry see.
    pub(crate) fn set_clock(&mut self, now_us: i64) {
        self.now_us = now_us;
        self.keys.now_ms = now_us.div_euclid(1000);
    }

    /// Runs one command: its name and its arguments.
    pub(crate) fn run(&mut self, command: &[Bytes]) -> Resp {
        let in_script = self.declared.is_some();
        let Some((name, args)) = command.split_first() else {
            return Resp::error("ERR Please specify at least one argument for this redis lib call");
        };
        let Some(index) = commands::find(name) else {
            return Resp::error(if in_script {
                "ERR Unknown Redis command called from script".to_owned()
            } else {
                unknown(name, args)
            });
        };
        let command = &commands::COMMANDS[index];
        if !command.accepts(args.len()) {
            return Resp::error(if in_script {
                "ERR Wrong number of args calling Redis command from script".to_owned()
            } else {
                format!("ERR wrong number of arguments for '{}' command", command.name)
            });
        }
        if let Some(undeclared) = self.undeclared(command.keys(args)) {
            self.violations.insert(format!("{} {undeclared}", command.name));
            return Resp::error(format!("ERR Script attempted to access undeclared key '{undeclared}'"));
        }
        if let Some(text) = self.refusal(command.name, command.access) {
            return Resp::Error(text);
        }
        self.count(index);
        self.wrote |= command.access != Access::Read;
        let outcome = (command.run)(self, args);
        if self.has_replicas {
            self.note_effects(command, args, outcome.is_ok());
        }
        outcome.unwrap_or_else(Resp::Error)
    }

    /// Keys that ended while the command looked at them ended before it changed anything.
    fn note_effects(&mut self, command: &Command, args: &[Bytes], changed: bool) {
        let ended = std::mem::take(&mut self.keys.ended);
        self.effects
            .extend(ended.into_iter().map(|key| vec![b"del".to_vec(), key]));
        let is_idle = std::mem::take(&mut self.is_idle);
        if changed && !is_idle && command.access != Access::Read {
            let words = std::iter::once(command.name.as_bytes().to_vec()).chain(args.iter().cloned());
            self.effects.push(commands::absolute(words.collect(), self.keys.now_ms));
        }
    }

    /// Repeats what a master did.
    pub(crate) fn follow(&mut self, effects: &[Effect]) {
        for effect in effects {
            let (name, args) = effect.split_first().expect("an effect is a command");
            let index = commands::find(name).expect("a master runs the same commands");
            // What failed at the master had no effect there.
            let _same_as_the_masters = (commands::COMMANDS[index].run)(self, args);
        }
    }

    pub(crate) fn refusal(&self, name: &str, access: Access) -> Option<String> {
        if let Some(text) = self.read_only.filter(|_| access != Access::Read) {
            return Some(text.to_owned());
        }
        let (refused, text) = self.refused.as_ref()?;
        let applies = match refused {
            Refused::All => true,
            Refused::Command(refused) => refused.eq_ignore_ascii_case(name),
            Refused::Growth => access == Access::Grow && !self.wrote,
            Refused::Writes => access != Access::Read,
        };
        applies.then(|| text.clone())
    }

    fn undeclared(&self, keys: &[Bytes]) -> Option<String> {
        let declared = self.declared.as_ref()?;
        let key = keys.iter().find(|key| !declared.contains(key))?;
        Some(String::from_utf8_lossy(key).into_owned())
    }

    /// Counts a call, as `INFO commandstats` does.
    pub(crate) fn count(&mut self, index: usize) {
        if self.counts.is_empty() {
            self.counts = vec![0; commands::COMMANDS.len()];
        }
        self.counts[index] += 1;
    }

    /// Calls by command since the start or the last reset; commands that were never called are left out.
    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        let names = commands::COMMANDS.iter().map(|command| command.name);
        names
            .zip(self.counts.iter().copied())
            .filter(|&(_, count)| count > 0)
            .collect()
    }

    pub(crate) fn reset_counts(&mut self) {
        self.counts.clear();
    }
}

/// The text of `commandCheckExistence` in the servers' `server.c`.
fn unknown(name: &[u8], args: &[Bytes]) -> String {
    let mut shown = String::new();
    for arg in args {
        if shown.len() >= 128 {
            break;
        }
        shown.push_str(&format!("'{}' ", String::from_utf8_lossy(arg)));
    }
    format!(
        "ERR unknown command '{}', with args beginning with: {shown}",
        String::from_utf8_lossy(name)
    )
}
