//! The scripts that every Redis-like backend runs: their text, arguments and replies. Knows no driver.

use std::fmt;
use std::sync::LazyLock;

pub use crate::acknowledgements::Acknowledgements;
pub use crate::refreshes::Refreshes;
pub use crate::reply::{
    Reply, read_added, read_attempt, read_names, read_resized, read_standing, read_standings, read_status, read_time,
    read_vote, read_wakeup,
};

use crate::backend::{Addition, Claim, Grant, Queueing};
use crate::clock::Timestamp;
use crate::config::LIMIT;
use crate::error::Error;
use crate::fence::FencingToken;
use crate::holder::HolderId;
use crate::name::{Name, names_key};
use crate::vote::{self, Ballot, Stage, Wish};

/// The most waiters of one name.
pub const WAITERS_MAX: u32 = 100_000;

const LISTED_MAX: u32 = 1_000;

/// A script as it is shipped: one verb, in one text.
pub struct Script {
    /// The verb, for logs.
    pub name: &'static str,
    source: String,
    sha1: String,
}

impl Script {
    fn new(name: &'static str, parts: &[&str]) -> Self {
        let source = parts.concat();
        let sha1 = sha1_smol::Sha1::from(&source).digest().to_string();
        Self { name, source, sha1 }
    }

    /// The text for `EVAL` and `SCRIPT LOAD`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The hexadecimal SHA-1 of the text, for `EVALSHA`.
    #[must_use]
    pub fn sha1(&self) -> &str {
        &self.sha1
    }

    /// How many a driver asks for in one `SCRIPT EXISTS`: a server hangs up on who is not logged in and says more than ten
    /// words at once, instead of saying what is wrong.
    pub const ASKED_AT_ONCE: usize = 8;

    /// All scripts, for loading them on connect.
    #[must_use]
    pub fn all() -> [&'static Self; 9] {
        [
            &ACQUIRE,
            &VOTE,
            &REFRESH,
            &RELEASE,
            &FORCE_RELEASE,
            &RESIZE,
            &ADD_PERMITS,
            &INSPECT,
            &LIST,
        ]
    }
}

impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Script({}, {})", self.name, self.sha1)
    }
}

macro_rules! script {
    ($constant:ident, $name:literal $(, $part:literal)+) => {
        static $constant: LazyLock<Script> =
            LazyLock::new(|| Script::new($name, &[$(include_str!(concat!("../lua/", $part))),+]));
    };
}

script!(ACQUIRE, "acquire", "acquire_free.lua", "common.lua", "acquire.lua");
script!(VOTE, "vote", "common.lua", "vote.lua");
script!(REFRESH, "refresh", "common.lua", "refresh.lua");
script!(RELEASE, "release", "release_free.lua", "common.lua", "release.lua");
script!(FORCE_RELEASE, "force_release", "common.lua", "force_release.lua");
script!(RESIZE, "resize", "common.lua", "resize.lua");
script!(ADD_PERMITS, "add_permits", "common.lua", "add_permits.lua");
script!(INSPECT, "inspect", "inspect.lua");
script!(LIST, "list", "list.lua");

/// One call of a script: what a driver has to send.
#[derive(Debug)]
pub struct Invocation {
    /// The script.
    pub script: &'static Script,
    keys: Keys,
    args: Args,
}

#[derive(Debug)]
enum Keys {
    Name(Name),
    Names(String),
}

impl Invocation {
    fn new(script: &'static Script, name: &Name) -> Self {
        Self {
            script,
            keys: Keys::Name(name.clone()),
            args: Args::default(),
        }
    }

    fn arg(mut self, arg: impl fmt::Display) -> Self {
        self.args.push(arg);
        self
    }

    /// The declared keys.
    #[must_use]
    pub fn keys(&self) -> &[String] {
        match &self.keys {
            Keys::Name(name) => name.keys(),
            Keys::Names(key) => std::slice::from_ref(key),
        }
    }

    /// The arguments.
    pub fn args(&self) -> impl Iterator<Item = &str> {
        self.args.iter()
    }
}

/// All arguments in one buffer: one allocation instead of one for each.
#[derive(Debug, Default)]
struct Args {
    text: String,
    ends: Vec<usize>,
}

impl Args {
    fn push(&mut self, arg: impl fmt::Display) {
        use fmt::Write;
        if self.ends.is_empty() {
            self.text.reserve(128);
            self.ends.reserve(12);
        }
        write!(self.text, "{arg}").expect("writing to a String succeeds");
        self.ends.push(self.text.len());
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.text[start..end])
    }
}

/// Whose clock: the client's time, 0 for the server's, -1 for that without its steps.
fn clock(claim: &Claim) -> i64 {
    let client_time = claim.client_time.map(Timestamp::as_micros);
    match client_time {
        Some(micros) => i64::try_from(micros).unwrap_or(i64::MAX),
        None if claim.stepless => -1,
        None => 0,
    }
}

/// The call for [`LockBackend::acquire`](crate::LockBackend::acquire).
#[must_use]
pub fn acquire(claim: &Claim, queueing: Queueing) -> Invocation {
    asking(&ACQUIRE, claim, queueing)
}

fn asking(script: &'static Script, claim: &Claim, queueing: Queueing) -> Invocation {
    let mode = match queueing {
        Queueing::HandOff => 'q',
        Queueing::Never => 't',
        Queueing::WakeUp => 'n',
    };
    Invocation::new(script, &claim.name)
        .arg(claim.holder)
        .arg(claim.limit)
        .arg(claim.weight)
        .arg(claim.ttl.as_millis())
        .arg(claim.window.as_millis())
        .arg(claim.patience.as_millis())
        .arg(claim.inbox)
        .arg(mode)
        .arg(clock(claim))
        .arg(WAITERS_MAX)
        .arg(&claim.meta)
        .arg(claim.grace.as_millis())
}

/// The call for [`LockBackend::vote`](crate::LockBackend::vote).
#[must_use]
pub fn vote(claim: &Claim, queueing: Queueing, ballot: &Ballot) -> Invocation {
    asking(&VOTE, claim, queueing)
        .arg(ballot.token.map_or(0, FencingToken::as_u64))
        .arg(&ballot.wish)
        .arg(ballot.ticket.unwrap_or(0))
        .arg(match ballot.stage {
            Stage::Asks => 0,
            Stage::Confirms => 1,
            Stage::Holds => 2,
            Stage::Yields => 3,
        })
}

/// The call for a vote that wants nothing and leaves nothing behind: it begins the server's generation of tokens, as the
/// first grant does, and answers with what the server says of itself.
#[must_use]
pub fn vote_for_nothing() -> Invocation {
    let (claim, ballot) = vote::for_nothing();
    self::vote(&claim, Queueing::Never, &ballot)
}

impl fmt::Display for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(slots) => write!(f, "={}", Ranges(slots)),
            Self::From(slot) => slot.fmt(f),
        }
    }
}

/// The call that refreshes claims of one name; all of them must have the name of the first.
///
/// # Panics
///
/// When there is no claim.
#[must_use]
pub fn refresh<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Invocation {
    let claims: Vec<&Claim> = claims.into_iter().collect();
    let first = claims.first().expect("a refresh has at least one claim");
    let grace = claims.iter().map(|claim| claim.grace).max().unwrap_or_default();
    let invocation = Invocation::new(&REFRESH, &first.name)
        .arg(clock(first))
        .arg(grace.as_millis());
    claims.into_iter().fold(invocation, |invocation, claim| {
        let token = claim.token().map_or(0, FencingToken::as_u64);
        let invocation = invocation.arg(claim.holder).arg(claim.ttl.as_millis()).arg(token);
        match &claim.grant {
            Some(grant) if !claim.grace.is_zero() => invocation.arg(Forgettable { claim, grant }),
            Some(grant) => invocation.arg(format_args!("={}", Ranges(&grant.slots))),
            None => invocation.arg(""),
        }
    })
}

/// What a server needs to take in a lease that it has forgotten.
struct Forgettable<'a> {
    claim: &'a Claim,
    grant: &'a Grant,
}

impl fmt::Display for Forgettable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { claim, grant } = self;
        let window = claim.window.as_millis();
        let slots = Ranges(&grant.slots);
        write!(
            f,
            "{} {} {window} {} {slots} {}",
            claim.weight, claim.limit, claim.inbox, claim.meta
        )
    }
}

/// Slots in ascending order, as the scripts write them: `0-2,5-5`.
struct Ranges<'a>(&'a [u32]);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, run) in self.0.chunk_by(|one, next| one + 1 == *next).enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{}-{}", run[0], run[run.len() - 1])?;
        }
        Ok(())
    }
}

/// The call for [`LockBackend::release`](crate::LockBackend::release).
#[must_use]
pub fn release(claim: &Claim) -> Invocation {
    Invocation::new(&RELEASE, &claim.name)
        .arg(claim.holder)
        .arg(claim.ttl.as_millis())
        .arg(u8::from(claim.doubtful))
        .arg(clock(claim))
}

/// The call for [`LockBackend::force_release`](crate::LockBackend::force_release).
#[must_use]
pub fn force_release(name: &Name, holder: HolderId) -> Invocation {
    Invocation::new(&FORCE_RELEASE, name).arg(holder).arg(0)
}

/// The call for [`LockBackend::resize`](crate::LockBackend::resize).
#[must_use]
pub fn resize(name: &Name, limit: Option<u32>) -> Invocation {
    Invocation::new(&RESIZE, name).arg(limit.unwrap_or(0)).arg(0)
}

/// The call for [`LockBackend::add_permits`](crate::LockBackend::add_permits).
#[must_use]
pub fn add_permits(addition: &Addition) -> Invocation {
    Invocation::new(&ADD_PERMITS, &addition.name)
        .arg(addition.id)
        .arg(Addition::KEPT.as_millis())
        .arg(addition.permits)
        .arg(addition.limit)
        .arg(LIMIT.end())
        .arg(0)
}

/// The call for [`LockBackend::inspect`](crate::LockBackend::inspect).
#[must_use]
pub fn inspect(name: &Name) -> Invocation {
    Invocation::new(&INSPECT, name).arg(LISTED_MAX).arg(0)
}

/// The call for [`LockBackend::list`](crate::LockBackend::list).
///
/// # Errors
///
/// [`Error::Config`] when the namespace is empty or too long.
pub fn list(namespace: &str) -> Result<Invocation, Error> {
    let mut args = Args::default();
    args.push(LISTED_MAX);
    Ok(Invocation {
        script: &LIST,
        keys: Keys::Names(names_key(namespace)?),
        args,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_come_out_as_they_went_in() {
        let mut args = Args::default();
        for arg in ["a", "", "long text with spaces", ""] {
            args.push(arg);
        }

        assert_eq!(args.iter().collect::<Vec<_>>(), ["a", "", "long text with spaces", ""]);
    }
}
