//! Sorted sets.

use super::{Outcome, float, integer, ranks, syntax, wrong_type};
use crate::database::{Database, Resp};
use crate::keyspace::{Bytes, Value};
use crate::number::{format_17g, parse_bound, parse_integer};
use crate::zset::{Bound, Zset};

fn members<'a>(db: &'a mut Database, key: &[u8]) -> Result<Option<&'a mut Zset>, String> {
    match db.keys.entry(key).map(|entry| &mut entry.value) {
        None => Ok(None),
        Some(Value::Zset(members)) => Ok(Some(members)),
        Some(_) => Err(wrong_type()),
    }
}

/// `ZADD key [NX|XX] [CH] score member …`.
pub(super) fn zadd(db: &mut Database, args: &[Bytes]) -> Outcome {
    let (key, mut rest) = (&args[0], &args[1..]);
    let (mut only_new, mut only_old, mut changes) = (false, false, false);
    while let [option, tail @ ..] = rest {
        match option.to_ascii_uppercase().as_slice() {
            b"NX" => only_new = true,
            b"XX" => only_old = true,
            b"CH" => changes = true,
            _ => break,
        }
        rest = tail;
    }
    if rest.is_empty() || !rest.len().is_multiple_of(2) {
        return Err(syntax());
    }
    if only_new && only_old {
        return Err("ERR XX and NX options at the same time are not compatible".to_owned());
    }
    let scores = rest.chunks_exact(2).map(|pair| float(&pair[0]));
    let scores: Vec<f64> = scores.collect::<Result<_, _>>()?;
    let members = match members(db, key)? {
        Some(members) => members,
        None if only_old => return Ok(Resp::Int(0)),
        None => match db.keys.insert(key, Value::Zset(Zset::default())) {
            Value::Zset(members) => members,
            _ => unreachable!("a sorted set was inserted"),
        },
    };
    let (mut added, mut changed) = (0, 0);
    for (score, pair) in scores.into_iter().zip(rest.chunks_exact(2)) {
        let before = members.score(&pair[1]);
        if (only_new && before.is_some()) || (only_old && before.is_none()) || before == Some(score) {
            continue;
        }
        changed += 1;
        added += usize::from(members.insert(&pair[1], score));
    }
    db.is_idle = changed == 0;
    Ok(Resp::count(if changes { changed } else { added }))
}

pub(super) fn zrem(db: &mut Database, args: &[Bytes]) -> Outcome {
    let key = &args[0];
    let Some(members) = members(db, key)? else {
        return Ok(Resp::Int(0));
    };
    let removed = args[1..].iter().filter(|member| members.remove(member)).count();
    db.keys.remove_if_empty(key);
    Ok(Resp::count(removed))
}

pub(super) fn zscore(db: &mut Database, args: &[Bytes]) -> Outcome {
    let score = members(db, &args[0])?.and_then(|members| members.score(&args[1]));
    Ok(score.map_or(Resp::Nil, score_reply))
}

pub(super) fn zcard(db: &mut Database, args: &[Bytes]) -> Outcome {
    Ok(Resp::count(members(db, &args[0])?.map_or(0, |members| members.len())))
}

pub(super) fn zrank(db: &mut Database, args: &[Bytes]) -> Outcome {
    let rank = members(db, &args[0])?.and_then(|members| members.rank(&args[1]));
    Ok(rank.map_or(Resp::Nil, Resp::count))
}

pub(super) fn zpopmin(db: &mut Database, args: &[Bytes]) -> Outcome {
    let key = &args[0];
    let count = match &args[1..] {
        [] => 1,
        [count] => {
            let count = parse_integer(count).and_then(|count| usize::try_from(count).ok());
            count.ok_or("ERR value is out of range, must be positive")?
        }
        _ => return Err(syntax()),
    };
    let Some(members) = members(db, key)? else {
        return Ok(Resp::Array(Vec::new()));
    };
    let popped: Vec<_> = members
        .iter()
        .take(count)
        .map(|(member, score)| (member.to_vec(), score))
        .collect();
    for (member, _) in &popped {
        members.remove(member);
    }
    db.keys.remove_if_empty(key);
    let pair = |(member, score)| [Resp::Bulk(member), score_reply(score)];
    Ok(Resp::Array(popped.into_iter().flat_map(pair).collect()))
}

pub(super) fn zrange(db: &mut Database, args: &[Bytes]) -> Outcome {
    by_rank(db, args, Direction::Up)
}

pub(super) fn zrevrange(db: &mut Database, args: &[Bytes]) -> Outcome {
    by_rank(db, args, Direction::Down)
}

#[derive(Clone, Copy)]
enum Direction {
    Down,
    Up,
}

fn by_rank(db: &mut Database, args: &[Bytes], direction: Direction) -> Outcome {
    let mut options = Options::parse(&args[3..])?;
    // One that takes everything is let through, and then not looked at.
    if options.limit.take().is_some_and(|(_, take)| take != -1) {
        return Err("ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX".to_owned());
    }
    let (start, stop) = (integer(&args[1])?, integer(&args[2])?);
    let Some(members) = members(db, &args[0])? else {
        return Ok(Resp::Array(Vec::new()));
    };
    let ranks = ranks(start, stop, members.len());
    let (skip, take) = (ranks.start, ranks.len());
    Ok(match direction {
        Direction::Up => options.reply(members.iter().skip(skip).take(take)),
        Direction::Down => options.reply(members.iter().rev().skip(skip).take(take)),
    })
}

pub(super) fn zrangebyscore(db: &mut Database, args: &[Bytes]) -> Outcome {
    let options = Options::parse(&args[3..])?;
    let (low, high) = bounds(&args[1], &args[2])?;
    Ok(match members(db, &args[0])? {
        Some(members) => options.reply(members.between(low, high)),
        None => Resp::Array(Vec::new()),
    })
}

pub(super) fn zrevrangebyscore(db: &mut Database, args: &[Bytes]) -> Outcome {
    let options = Options::parse(&args[3..])?;
    let (low, high) = bounds(&args[2], &args[1])?;
    Ok(match members(db, &args[0])? {
        Some(members) => options.reply(members.between(low, high).rev()),
        None => Resp::Array(Vec::new()),
    })
}

pub(super) fn zcount(db: &mut Database, args: &[Bytes]) -> Outcome {
    let (low, high) = bounds(&args[1], &args[2])?;
    Ok(Resp::count(
        members(db, &args[0])?.map_or(0, |members| members.between(low, high).count()),
    ))
}

pub(super) fn zremrangebyrank(db: &mut Database, args: &[Bytes]) -> Outcome {
    let (start, stop) = (integer(&args[1])?, integer(&args[2])?);
    remove_range(db, &args[0], |members| {
        let ranks = ranks(start, stop, members.len());
        let range = members.iter().skip(ranks.start).take(ranks.len());
        range.map(|(member, _)| member.to_vec()).collect()
    })
}

pub(super) fn zremrangebyscore(db: &mut Database, args: &[Bytes]) -> Outcome {
    let (low, high) = bounds(&args[1], &args[2])?;
    remove_range(db, &args[0], |members| {
        members.between(low, high).map(|(member, _)| member.to_vec()).collect()
    })
}

fn remove_range(db: &mut Database, key: &[u8], choose: impl Fn(&Zset) -> Vec<Bytes>) -> Outcome {
    let Some(members) = members(db, key)? else {
        return Ok(Resp::Int(0));
    };
    let chosen = choose(members);
    for member in &chosen {
        members.remove(member);
    }
    db.keys.remove_if_empty(key);
    Ok(Resp::count(chosen.len()))
}

fn score_reply(score: f64) -> Resp {
    Resp::Bulk(format_17g(score).into_bytes())
}

fn bounds(low: &[u8], high: &[u8]) -> Result<(Bound, Bound), String> {
    let bound = |text: &[u8]| {
        let (exclusive, number) = match text {
            [b'(', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        parse_bound(number).map(|score| Bound { score, exclusive })
    };
    let both = bound(low).zip(bound(high));
    both.ok_or_else(|| "ERR min or max is not a float".to_owned())
}

/// What may follow a range.
#[derive(Default)]
struct Options {
    with_scores: bool,
    /// How many to skip and to take; a negative count takes all.
    limit: Option<(i64, i64)>,
}

impl Options {
    fn parse(args: &[Bytes]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            match arg.to_ascii_uppercase().as_slice() {
                b"WITHSCORES" => options.with_scores = true,
                b"LIMIT" => {
                    let (skip, take) = args.next().zip(args.next()).ok_or_else(syntax)?;
                    options.limit = Some((integer(skip)?, integer(take)?));
                }
                _ => return Err(syntax()),
            }
        }
        Ok(options)
    }

    fn reply<'a>(&self, members: impl Iterator<Item = (&'a [u8], f64)>) -> Resp {
        // A negative offset finds nothing, a negative count everything.
        let (skip, take) = match self.limit {
            None => (0, usize::MAX),
            Some((skip, _)) if skip < 0 => (0, 0),
            Some((skip, take)) => (
                usize::try_from(skip).unwrap_or(usize::MAX),
                usize::try_from(take).unwrap_or(usize::MAX),
            ),
        };
        let mut replies = Vec::new();
        for (member, score) in members.skip(skip).take(take) {
            replies.push(Resp::bulk(member));
            if self.with_scores {
                replies.push(score_reply(score));
            }
        }
        Resp::Array(replies)
    }
}
