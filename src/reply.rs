//! What the scripts answer, read into the nouns of the backend. Trusts no server.

use std::str::FromStr;
use std::time::Duration;

use crate::backend::{Added, Attempt, Busy, Grant, Queued, Queueing, Standing, Wakeup};
use crate::clock::Timestamp;
use crate::failure::{BackendError, Failure, Outcome};
use crate::fence::FencingToken;
use crate::name::Name;
use crate::status::{HolderStatus, Status, WaiterStatus};
use crate::vote::{Cast, View, Vote};

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

/// Reads the reply to [`acquire`](crate::script::acquire).
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
        [2, place, look_after, waiters, new] => Attempt::Queued(Queued {
            place: small(place)?,
            look_after: millis(look_after),
            waiters: small(waiters)?,
            is_new: new != 0,
        }),
        [3] => Attempt::GivenUp,
        [4, waiters] => Attempt::Full {
            waiters: small(waiters)?,
        },
        [5, limit] => Attempt::Oversized { limit: small(limit)? },
        _ => return Err(unreadable(reply)),
    })
}

/// Reads the reply to [`vote`](crate::script::vote).
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape.
pub fn read_vote(reply: &Reply) -> Result<Vote, BackendError> {
    let numbers = integers(reply)?;
    Ok(match numbers[..] {
        [0, used, waiters, look_after, limit, last, now, server] => {
            let busy = Busy {
                used: small(used)?,
                waiters: small(waiters)?,
                look_after: millis(look_after),
                limit: small(limit)?,
            };
            Vote::Busy(busy, view(last, now, server))
        }
        [1, token, limit, other, before, last, now, server, free, ref ranges @ ..] => {
            let grant = Grant {
                token: FencingToken::from_u64(token.unsigned_abs()),
                slots: slots(ranges)?,
                limit: small(limit)?,
                other_limit: some(small(other)?),
            };
            let cast = Cast {
                grant,
                before: FencingToken::from_u64(before.unsigned_abs()),
                free: free.unsigned_abs(),
            };
            Vote::Cast(cast, view(last, now, server))
        }
        [2, place, look_after, waiters, new, ticket, last, now, server] => {
            let queued = Queued {
                place: small(place)?,
                look_after: millis(look_after),
                waiters: small(waiters)?,
                is_new: new != 0,
            };
            Vote::Queued(queued, ticket.unsigned_abs(), view(last, now, server))
        }
        [3..=5, ..] => Vote::Refused(read_attempt(reply)?),
        _ => return Err(unreadable(reply)),
    })
}

fn view(last: i64, now: i64, server: i64) -> View {
    View {
        last: FencingToken::from_u64(last.unsigned_abs()),
        now: Timestamp::from_micros(now.unsigned_abs()),
        server: server.unsigned_abs(),
    }
}

/// Reads the reply to [`refresh`](crate::script::refresh): one standing per claim.
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

/// Reads the reply to [`release`](crate::script::release) and [`force_release`](crate::script::force_release).
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape.
pub fn read_standing(reply: &Reply) -> Result<Standing, BackendError> {
    read_standings(reply, 1).map(|standings| standings[0])
}

/// Reads the reply to [`resize`](crate::script::resize): the override before.
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

/// Reads the reply to [`add_permits`](crate::script::add_permits).
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape.
pub fn read_added(reply: &Reply) -> Result<Added, BackendError> {
    match integers(reply)?[..] {
        [0, limit] => Ok(Added::TooMany { limit: small(limit)? }),
        [1, limit] => Ok(Added::Raised { limit: small(limit)? }),
        _ => Err(unreadable(reply)),
    }
}

/// Reads the reply to [`inspect`](crate::script::inspect).
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
    let [
        now,
        limit_override,
        limit_seen,
        token,
        holders_total,
        waiters_total,
        slots_total,
        grace_left,
    ] = head[..]
    else {
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
        slots_total: slots_total.unsigned_abs(),
        grace_left: Duration::from_millis(grace_left.unsigned_abs()),
    })
}

/// Reads the reply to [`list`](crate::script::list).
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape.
pub fn read_names(namespace: &str, reply: &Reply) -> Result<Vec<Name>, BackendError> {
    let Reply::Array(parts) = reply else {
        return Err(unreadable(reply));
    };
    let Some((Reply::Int(_), names)) = parts.split_first() else {
        return Err(unreadable(reply));
    };
    names
        .iter()
        .map(|encoded| Name::from_encoded(namespace, text(encoded)?).map_err(|_| unreadable(encoded)))
        .collect()
}

/// Reads the reply to `TIME`.
///
/// # Errors
///
/// A permanent [`BackendError`] for a reply of another shape.
pub fn read_time(reply: &Reply) -> Result<Timestamp, BackendError> {
    let Reply::Array(parts) = reply else {
        return Err(unreadable(reply));
    };
    let [seconds, micros] = &parts[..] else {
        return Err(unreadable(reply));
    };
    let seconds: u64 = parse(text(seconds)?, seconds)?;
    let micros: u64 = parse(text(micros)?, micros)?;
    let micros = seconds.checked_mul(1_000_000).and_then(|s| s.checked_add(micros));
    micros.map(Timestamp::from_micros).ok_or_else(|| unreadable(reply))
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
    // What a server of a quorum notes of its vote follows behind a semicolon.
    let ranges = ranges.split_once(';').map_or(ranges, |(ranges, _vote)| ranges);
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
    use crate::holder::HolderId;
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
            readable += usize::from(read_vote(&reply).is_ok());
            readable += usize::from(read_status(&name, &reply).is_ok());
            readable += usize::from(read_standings(&reply, 2).is_ok());
            readable += usize::from(read_names("ns", &reply).is_ok());
            readable += usize::from(read_time(&reply).is_ok());
            readable += usize::from(read_resized(&reply).is_ok());
            readable += usize::from(read_added(&reply).is_ok());
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
}
