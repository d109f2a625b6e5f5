//! The scripts that every Redis-like backend runs: their text, arguments and replies. Knows no driver.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use crate::backend::{
    Attempt, BackendError, Busy, Claim, Failure, Grant, HolderStatus, Outcome, Queued, Queueing, Standing, Status,
    WaiterStatus, Wakeup,
};
use crate::clock::Timestamp;
use crate::error::Error;
use crate::fence::FencingToken;
use crate::holder::HolderId;
use crate::name::{Name, names_key};

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

    /// All scripts, for loading them on connect.
    #[must_use]
    pub fn all() -> [&'static Self; 7] {
        [&ACQUIRE, &REFRESH, &RELEASE, &FORCE_RELEASE, &RESIZE, &INSPECT, &LIST]
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

script!(ACQUIRE, "acquire", "common.lua", "acquire.lua");
script!(REFRESH, "refresh", "common.lua", "refresh.lua");
script!(RELEASE, "release", "common.lua", "release.lua");
script!(FORCE_RELEASE, "force_release", "common.lua", "force_release.lua");
script!(RESIZE, "resize", "common.lua", "resize.lua");
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

/// A server's reply, free of any driver's types.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// An array.
    Array(Vec<Self>),
    /// A bulk or simple string.
    Bytes(Vec<u8>),
    /// An integer.
    Int(i64),
    /// Nil.
    Nil,
}

fn client_time(claim: &Claim) -> u64 {
    claim.client_time.map_or(0, Timestamp::as_micros)
}

/// The call for [`LockBackend::acquire`](crate::LockBackend::acquire).
#[must_use]
pub fn acquire(claim: &Claim, queueing: Queueing) -> Invocation {
    let mode = match queueing {
        Queueing::HandOff => 'q',
        Queueing::Never => 't',
        Queueing::WakeUp => 'n',
    };
    Invocation::new(&ACQUIRE, &claim.name)
        .arg(claim.holder)
        .arg(claim.limit)
        .arg(claim.weight)
        .arg(claim.ttl.as_millis())
        .arg(claim.window.as_millis())
        .arg(claim.patience.as_millis())
        .arg(claim.inbox)
        .arg(mode)
        .arg(client_time(claim))
        .arg(WAITERS_MAX)
        .arg(&claim.meta)
}

/// The call that refreshes claims of one name; all of them must have the name of the first.
///
/// # Panics
///
/// When there is no claim.
#[must_use]
pub fn refresh<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Invocation {
    let mut claims = claims.into_iter().peekable();
    let first = *claims.peek().expect("a refresh has at least one claim");
    let invocation = Invocation::new(&REFRESH, &first.name).arg(client_time(first));
    claims.fold(invocation, |invocation, claim| {
        invocation.arg(claim.holder).arg(claim.ttl.as_millis())
    })
}

/// The call for [`LockBackend::release`](crate::LockBackend::release).
#[must_use]
pub fn release(claim: &Claim) -> Invocation {
    Invocation::new(&RELEASE, &claim.name)
        .arg(claim.holder)
        .arg(claim.ttl.as_millis())
        .arg(u8::from(claim.doubtful))
        .arg(client_time(claim))
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

/// Groups claims by name, for one call per name in one round trip: the indices into `claims` of each group.
#[must_use]
pub fn by_name(claims: &[Claim]) -> Vec<Vec<usize>> {
    let mut groups = std::collections::BTreeMap::<&Name, Vec<usize>>::new();
    for (index, claim) in claims.iter().enumerate() {
        groups.entry(&claim.name).or_default().push(index);
    }
    groups.into_values().collect()
}

/// Reads the reply to [`acquire`].
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape.
pub fn read_attempt(reply: &Reply) -> Result<Attempt, BackendError> {
    let numbers = integers(reply)?;
    Ok(match numbers[..] {
        [0, used, waiters, look_after, limit] => Attempt::Busy(Busy {
            used: small(used)?,
            waiters: small(waiters)?,
            look_after: millis(look_after),
            limit: small(limit)?,
        }),
        [1, token, limit, other, ref ranges @ ..] => Attempt::Granted(Grant {
            token: FencingToken::from_u64(token.unsigned_abs()),
            slots: slots(ranges)?,
            limit: small(limit)?,
            other_limit: some(small(other)?),
        }),
        [2, place, look_after, waiters] => Attempt::Queued(Queued {
            place: small(place)?,
            look_after: millis(look_after),
            waiters: small(waiters)?,
        }),
        [3] => Attempt::GivenUp,
        [4, waiters] => Attempt::Full {
            waiters: small(waiters)?,
        },
        [5, limit] => Attempt::Oversized { limit: small(limit)? },
        _ => return Err(unreadable(reply)),
    })
}

/// Reads the reply to [`refresh`]: one standing per claim.
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape or length.
pub fn read_standings(reply: &Reply, claims: usize) -> Result<Vec<Standing>, BackendError> {
    let numbers = integers(reply)?;
    if numbers.len() != claims {
        return Err(unreadable(reply));
    }
    numbers
        .into_iter()
        .map(|number| standing(number).ok_or_else(|| unreadable(reply)))
        .collect()
}

/// Reads the reply to [`release`] and [`force_release`].
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape.
pub fn read_standing(reply: &Reply) -> Result<Standing, BackendError> {
    read_standings(reply, 1).map(|standings| standings[0])
}

/// Reads the reply to [`resize`]: the override before.
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape.
pub fn read_resized(reply: &Reply) -> Result<Option<u32>, BackendError> {
    match integers(reply)?[..] {
        [before] => Ok(some(small(before)?)),
        _ => Err(unreadable(reply)),
    }
}

/// Reads the reply to [`inspect`].
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape, or for records that this version cannot read.
pub fn read_status(name: &Name, reply: &Reply) -> Result<Status, BackendError> {
    let Reply::Array(fields) = reply else {
        return Err(unreadable(reply));
    };
    let [head @ .., Reply::Array(holders), Reply::Array(waiters)] = &fields[..] else {
        return Err(unreadable(reply));
    };
    let head: Vec<i64> = head.iter().map(integer).collect::<Result<_, _>>()?;
    let [now, limit_override, limit_seen, token, holders_total, waiters_total] = head[..] else {
        return Err(unreadable(reply));
    };
    Ok(Status {
        name: name.clone(),
        now: Timestamp::from_micros(now.unsigned_abs()),
        limit_override: some(small(limit_override)?),
        limit_seen: some(small(limit_seen)?),
        token: (token != 0).then(|| FencingToken::from_u64(token.unsigned_abs())),
        holders: holders.chunks(3).map(read_holder).collect::<Result<_, _>>()?,
        holders_total: holders_total.unsigned_abs(),
        waiters: waiters.chunks(2).map(read_waiter).collect::<Result<_, _>>()?,
        waiters_total: waiters_total.unsigned_abs(),
    })
}

/// Reads the reply to [`list`].
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape.
pub fn read_names(namespace: &str, reply: &Reply) -> Result<Vec<Name>, BackendError> {
    let Reply::Array(names) = reply else {
        return Err(unreadable(reply));
    };
    names
        .iter()
        .map(|encoded| Name::from_encoded(namespace, text(encoded)?).map_err(|_| unreadable(encoded)))
        .collect()
}

/// Reads a message that arrived in an [`Inbox`](crate::Inbox): a letter and a holder id. `None` for anything else.
#[must_use]
pub fn read_wakeup(message: &[u8]) -> Option<Wakeup> {
    let (letter, id) = std::str::from_utf8(message).ok()?.split_at_checked(1)?;
    let holder = id.parse().ok()?;
    match letter {
        "f" => Some(Wakeup::Forced(holder)),
        "g" | "w" => Some(Wakeup::Look(holder)),
        _ => None,
    }
}

/// `h weight limit ttl window inbox since token slots meta`, written by `lua/common.lua`.
fn read_holder(fields: &[Reply]) -> Result<HolderStatus, BackendError> {
    let [holder, expires, record] = fields else {
        return Err(unreadable(&Reply::Array(fields.to_vec())));
    };
    let mut words = text(record)?.splitn(10, ' ').skip(3);
    let ttl = word(&mut words, record)?;
    let since = word(words.by_ref().skip(2), record)?;
    let token = word(&mut words, record)?;
    let ranges = words.next().ok_or_else(|| unreadable(record))?;
    let bounds: Vec<i64> = ranges
        .split([',', '-'])
        .map(|bound| bound.parse().map_err(|_| unreadable(record)))
        .collect::<Result<_, _>>()?;
    Ok(HolderStatus {
        holder: parse(text(holder)?, holder)?,
        slots: slots(&bounds)?,
        token: FencingToken::from_u64(token),
        since: Timestamp::from_micros(since.saturating_mul(1000)),
        expires: Timestamp::from_micros(parse::<u64>(text(expires)?, expires)?.saturating_mul(1000)),
        ttl: Duration::from_millis(ttl),
        meta: words.next().unwrap_or_default().to_owned(),
    })
}

/// `q|n weight limit ttl window inbox since ticket meta`, written by `lua/acquire.lua`.
fn read_waiter(fields: &[Reply]) -> Result<WaiterStatus, BackendError> {
    let [holder, record] = fields else {
        return Err(unreadable(&Reply::Array(fields.to_vec())));
    };
    let mut words = text(record)?.splitn(9, ' ');
    let queueing = match words.next() {
        Some("q") => Queueing::HandOff,
        Some("n") => Queueing::WakeUp,
        _ => return Err(unreadable(record)),
    };
    let weight = word(&mut words, record)?;
    let since = word(words.by_ref().skip(4), record)?;
    Ok(WaiterStatus {
        holder: parse(text(holder)?, holder)?,
        weight: u32::try_from(weight).map_err(|_| unreadable(record))?,
        since: Timestamp::from_micros(since.saturating_mul(1000)),
        queueing,
        meta: words.nth(1).unwrap_or_default().to_owned(),
    })
}

fn word<'a>(mut words: impl Iterator<Item = &'a str>, record: &Reply) -> Result<u64, BackendError> {
    parse(words.next().ok_or_else(|| unreadable(record))?, record)
}

fn parse<T: FromStr>(text: &str, reply: &Reply) -> Result<T, BackendError> {
    text.parse().map_err(|_| unreadable(reply))
}

fn text(reply: &Reply) -> Result<&str, BackendError> {
    match reply {
        Reply::Bytes(bytes) => std::str::from_utf8(bytes).map_err(|_| unreadable(reply)),
        _ => Err(unreadable(reply)),
    }
}

fn integers(reply: &Reply) -> Result<Vec<i64>, BackendError> {
    match reply {
        Reply::Array(items) => items.iter().map(integer).collect(),
        _ => Err(unreadable(reply)),
    }
}

fn integer(reply: &Reply) -> Result<i64, BackendError> {
    match reply {
        Reply::Int(number) if *number >= 0 => Ok(*number),
        _ => Err(unreadable(reply)),
    }
}

fn small(number: i64) -> Result<u32, BackendError> {
    u32::try_from(number).map_err(|_| unreadable(&Reply::Int(number)))
}

fn some(number: u32) -> Option<u32> {
    (number != 0).then_some(number)
}

fn millis(number: i64) -> Duration {
    Duration::from_millis(number.unsigned_abs())
}

fn standing(number: i64) -> Option<Standing> {
    match number {
        0 => Some(Standing::Absent),
        1 => Some(Standing::Held),
        2 => Some(Standing::Waiting),
        3 => Some(Standing::Forced),
        _ => None,
    }
}

/// Spells out ranges of slots; refuses those that no limit allows, so that a hostile record cannot fill the memory.
fn slots(bounds: &[i64]) -> Result<Vec<u32>, BackendError> {
    let hostile = || unreadable(&Reply::Array(bounds.iter().copied().map(Reply::Int).collect()));
    if bounds.is_empty() || !bounds.len().is_multiple_of(2) {
        return Err(hostile());
    }
    let mut slots = Vec::with_capacity(1);
    for range in bounds.chunks_exact(2) {
        let (first, last) = (small(range[0])?, small(range[1])?);
        if last < first || last >= SLOTS_MAX {
            return Err(hostile());
        }
        slots.extend(first..=last);
    }
    slots.sort_unstable();
    Ok(slots)
}

/// Slots are numbered below the highest limit ever in force.
const SLOTS_MAX: u32 = 65_536;

fn unreadable(reply: &Reply) -> BackendError {
    let mut shown = format!("{reply:?}");
    if shown.len() > 200 {
        shown = shown.chars().take(200).collect();
        shown.push('…');
    }
    BackendError::new(
        Failure::Permanent,
        Outcome::Unknown,
        format!("unreadable reply {shown}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    const TEXTS: [&str; 7] = [
        "h 1 1 600 600 0000000000000001 5 9 0-0 a=b",
        "h 1 1 600 600 0000000000000001 18446744073709551615 9 0-4294967295 a=b",
        "q 1 1 600 600 0000000000000001 5 1 a=b",
        "h 1",
        "00000000000000000000000000000001",
        "99999999999999999999999999",
        "",
    ];
    const NUMBERS: [i64; 11] = [0, 1, 2, 3, 4, 5, -1, 65_535, 65_536, i64::MAX, i64::MIN];

    /// A reply that no script of ours gives: any shape, any size of number, any text.
    fn hostile(random: &Random, depth: u32) -> Reply {
        let below = |bound: usize| (random.unit() * bound as f64) as usize;
        match below(if depth == 0 { 3 } else { 6 }) {
            0 => Reply::Nil,
            1 => Reply::Int(NUMBERS[below(NUMBERS.len())]),
            2 => Reply::Bytes(TEXTS[below(TEXTS.len())].as_bytes().to_vec()),
            _ => Reply::Array((0..below(9)).map(|_| hostile(random, depth - 1)).collect()),
        }
    }

    #[test]
    fn no_reply_makes_a_reader_panic_or_fill_the_memory() {
        let random = Random::from_seed(Some(45));
        let name = Name::new("ns", "name").unwrap();
        let mut readable = 0;
        for _ in 0..200_000 {
            let reply = hostile(&random, 3);
            readable += usize::from(read_attempt(&reply).is_ok());
            readable += usize::from(read_status(&name, &reply).is_ok());
            readable += usize::from(read_standings(&reply, 2).is_ok());
            readable += usize::from(read_names("ns", &reply).is_ok());
            readable += usize::from(read_resized(&reply).is_ok());
        }

        assert!(readable > 100, "some of them are good by chance: {readable}");
    }

    #[test]
    fn no_record_makes_a_reader_panic_or_fill_the_memory() {
        let random = Random::from_seed(Some(41));
        let id = Reply::Bytes(b"00000000000000000000000000000001".to_vec());
        let below = |bound: usize| (random.unit() * bound as f64) as usize;
        for _ in 0..100_000 {
            let mut record = TEXTS[below(3)].as_bytes().to_vec();
            for _ in 0..=below(4) {
                let at = below(record.len());
                record[at] = b"0 9-,hqZ"[below(8)];
            }
            let record = Reply::Bytes(record);
            // Whether they can be read does not matter, only that it is found out.
            let _either = read_holder(&[
                id.clone(),
                Reply::Bytes(b"18446744073709551615".to_vec()),
                record.clone(),
            ]);
            let _either = read_waiter(&[id.clone(), record]);
        }
    }

    #[test]
    fn a_wake_up_is_a_letter_and_a_holder() {
        let holder = HolderId::from_bits(1);

        assert_eq!(read_wakeup(format!("g{holder}").as_bytes()), Some(Wakeup::Look(holder)));
        assert_eq!(read_wakeup(format!("w{holder}").as_bytes()), Some(Wakeup::Look(holder)));
        assert_eq!(
            read_wakeup(format!("f{holder}").as_bytes()),
            Some(Wakeup::Forced(holder))
        );
        for odd in [
            &b""[..],
            b"g",
            b"x00000000000000000000000000000001",
            "🔒".as_bytes(),
            b"\xff",
        ] {
            assert_eq!(read_wakeup(odd), None);
        }
    }

    #[test]
    fn arguments_come_out_as_they_went_in() {
        let mut args = Args::default();
        for arg in ["a", "", "long text with spaces", ""] {
            args.push(arg);
        }

        assert_eq!(args.iter().collect::<Vec<_>>(), ["a", "", "long text with spaces", ""]);
    }
}
