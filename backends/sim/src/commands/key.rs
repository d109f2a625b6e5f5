//! Keys and strings.

use super::{Outcome, integer, syntax, wrong_type};
use crate::database::{Database, Resp};
use crate::keyspace::{Bytes, Value};

pub(super) fn del(db: &mut Database, args: &[Bytes]) -> Outcome {
    Ok(Resp::count(args.iter().filter(|key| db.keys.remove(key)).count()))
}

pub(super) fn exists(db: &mut Database, args: &[Bytes]) -> Outcome {
    Ok(Resp::count(
        args.iter().filter(|key| db.keys.entry(key).is_some()).count(),
    ))
}

pub(super) fn kind(db: &mut Database, args: &[Bytes]) -> Outcome {
    Ok(Resp::status(
        db.keys.entry(&args[0]).map_or("none", |entry| entry.value.kind()),
    ))
}

pub(super) fn dbsize(db: &mut Database, _: &[Bytes]) -> Outcome {
    Ok(Resp::count(db.keys.live().count()))
}

pub(super) fn flushall(db: &mut Database, _: &[Bytes]) -> Outcome {
    db.keys.clear();
    Ok(Resp::ok())
}

pub(super) fn keys(db: &mut Database, args: &[Bytes]) -> Outcome {
    let found = db.keys.live().filter(|(key, _)| matches(&args[0], key));
    Ok(Resp::Array(found.map(|(key, _)| Resp::bulk(key)).collect()))
}

/// Glob with `*` and `?`; classes in brackets are not known here.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => matches(rest, text) || (!text.is_empty() && matches(pattern, &text[1..])),
        ([b'?', rest @ ..], [_, tail @ ..]) => matches(rest, tail),
        ([first, rest @ ..], [byte, tail @ ..]) if first == byte => matches(rest, tail),
        _ => false,
    }
}

pub(super) fn get(db: &mut Database, args: &[Bytes]) -> Outcome {
    match db.keys.entry(&args[0]).map(|entry| &entry.value) {
        None => Ok(Resp::Nil),
        Some(Value::Text(text)) => Ok(Resp::bulk(text)),
        Some(_) => Err(wrong_type()),
    }
}

/// `SET key value [NX | XX] [PX ms | PXAT ms]`.
pub(super) fn set(db: &mut Database, args: &[Bytes]) -> Outcome {
    let key = &args[0];
    let options = SetOptions::parse(&args[2..])?;
    let expires_at = options.expiry(db.keys.now_ms)?;
    let exists = db.keys.entry(key).is_some();
    if options.only.is_some_and(|only| (only == Only::Old) != exists) {
        return Ok(Resp::Nil);
    }
    db.keys.insert(key, Value::Text(args[1].clone()));
    db.keys.entry(key).expect("the key was inserted").expires_at = expires_at;
    Ok(Resp::ok())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Only {
    New,
    Old,
}

#[derive(Clone, Copy)]
enum Expiry<'a> {
    At(&'a Bytes),
    In(&'a Bytes),
}

#[derive(Default)]
struct SetOptions<'a> {
    only: Option<Only>,
    expiry: Option<Expiry<'a>>,
}

impl<'a> SetOptions<'a> {
    fn parse(args: &'a [Bytes]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(option) = args.next() {
            let (only, expiry) = (options.only, options.expiry);
            match option.to_ascii_uppercase().as_slice() {
                b"NX" if only != Some(Only::Old) => options.only = Some(Only::New),
                b"XX" if only != Some(Only::New) => options.only = Some(Only::Old),
                b"PX" if !matches!(expiry, Some(Expiry::At(_))) => {
                    options.expiry = Some(Expiry::In(args.next().ok_or_else(syntax)?));
                }
                b"PXAT" if !matches!(expiry, Some(Expiry::In(_))) => {
                    options.expiry = Some(Expiry::At(args.next().ok_or_else(syntax)?));
                }
                _ => return Err(syntax()),
            }
        }
        Ok(options)
    }

    /// When the key ends, ms.
    fn expiry(&self, now_ms: i64) -> Result<Option<i64>, String> {
        let (from_ms, text) = match self.expiry {
            None => return Ok(None),
            Some(Expiry::At(text)) => (0, text),
            Some(Expiry::In(text)) => (now_ms, text),
        };
        let ms = Some(integer(text)?).filter(|&ms| ms > 0);
        let at = ms.and_then(|ms| ms.checked_add(from_ms));
        at.map(Some)
            .ok_or_else(|| "ERR invalid expire time in 'set' command".to_owned())
    }
}

pub(super) fn incr(db: &mut Database, args: &[Bytes]) -> Outcome {
    let key = &args[0];
    match db.keys.entry(key).map(|entry| &mut entry.value) {
        None => {
            db.keys.insert(key, Value::Text(b"1".to_vec()));
            Ok(Resp::Int(1))
        }
        Some(Value::Text(text)) => {
            let number = integer(text)?.checked_add(1);
            let number = number.ok_or_else(|| "ERR increment or decrement would overflow".to_owned())?;
            *text = number.to_string().into_bytes();
            Ok(Resp::Int(number))
        }
        Some(_) => Err(wrong_type()),
    }
}

pub(super) fn pexpire(db: &mut Database, args: &[Bytes]) -> Outcome {
    no_options(args)?;
    let at = integer(&args[1])?.checked_add(db.keys.now_ms);
    let at = at.ok_or_else(|| "ERR invalid expire time in 'pexpire' command".to_owned())?;
    Ok(expire(db, &args[0], at))
}

pub(super) fn pexpireat(db: &mut Database, args: &[Bytes]) -> Outcome {
    no_options(args)?;
    let at = integer(&args[1])?;
    Ok(expire(db, &args[0], at))
}

/// `NX` and the like are not known here: Redis 6.2 has none.
fn no_options(args: &[Bytes]) -> Result<(), String> {
    match args.get(2) {
        None => Ok(()),
        Some(option) => Err(format!("ERR Unsupported option {}", String::from_utf8_lossy(option))),
    }
}

/// A time that has come already deletes the key.
fn expire(db: &mut Database, key: &[u8], at: i64) -> Resp {
    let now_ms = db.keys.now_ms;
    match db.keys.entry(key) {
        None => return Resp::Int(0),
        Some(entry) => entry.expires_at = Some(at),
    }
    if at <= now_ms && !db.keys.follows {
        db.keys.remove(key);
    }
    Resp::Int(1)
}

pub(super) fn persist(db: &mut Database, args: &[Bytes]) -> Outcome {
    let entry = db.keys.entry(&args[0]);
    Ok(Resp::Int(i64::from(
        entry.is_some_and(|entry| entry.expires_at.take().is_some()),
    )))
}

pub(super) fn pttl(db: &mut Database, args: &[Bytes]) -> Outcome {
    let now_ms = db.keys.now_ms;
    Ok(Resp::Int(match db.keys.entry(&args[0]).map(|entry| entry.expires_at) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => (at - now_ms).max(0),
    }))
}

pub(super) fn pexpiretime(db: &mut Database, args: &[Bytes]) -> Outcome {
    Ok(Resp::Int(match db.keys.entry(&args[0]).map(|entry| entry.expires_at) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => at,
    }))
}
