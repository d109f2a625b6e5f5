//! Hashes.

use std::collections::BTreeMap;

use super::{Outcome, wrong_type};
use crate::database::{Database, Resp};
use crate::keyspace::{Bytes, Value};

type Fields = BTreeMap<Bytes, Bytes>;

fn fields<'a>(db: &'a mut Database, key: &[u8]) -> Result<Option<&'a mut Fields>, String> {
    match db.keys.entry(key).map(|entry| &mut entry.value) {
        None => Ok(None),
        Some(Value::Hash(fields)) => Ok(Some(fields)),
        Some(_) => Err(wrong_type()),
    }
}

pub(super) fn hget(db: &mut Database, args: &[Bytes]) -> Outcome {
    let fields = fields(db, &args[0])?;
    Ok(fields.and_then(|fields| fields.get(&args[1])).map(Vec::as_slice).into())
}

pub(super) fn hmget(db: &mut Database, args: &[Bytes]) -> Outcome {
    let fields = fields(db, &args[0])?;
    let get = |field| {
        fields
            .as_ref()
            .and_then(|fields| fields.get(field))
            .map(Vec::as_slice)
            .into()
    };
    Ok(Resp::Array(args[1..].iter().map(get).collect()))
}

pub(super) fn hgetall(db: &mut Database, args: &[Bytes]) -> Outcome {
    let pair = |(field, value): (&Bytes, &Bytes)| [Resp::bulk(field), Resp::bulk(value)];
    let pairs = fields(db, &args[0])?
        .into_iter()
        .flat_map(|fields| fields.iter().flat_map(pair));
    Ok(Resp::Array(pairs.collect()))
}

pub(super) fn hlen(db: &mut Database, args: &[Bytes]) -> Outcome {
    Ok(Resp::count(fields(db, &args[0])?.map_or(0, |fields| fields.len())))
}

pub(super) fn hexists(db: &mut Database, args: &[Bytes]) -> Outcome {
    let exists = fields(db, &args[0])?.is_some_and(|fields| fields.contains_key(&args[1]));
    Ok(Resp::Int(i64::from(exists)))
}

pub(super) fn hset(db: &mut Database, args: &[Bytes]) -> Outcome {
    let (key, pairs) = (&args[0], &args[1..]);
    if !pairs.len().is_multiple_of(2) {
        return Err("ERR wrong number of arguments for 'hset' command".to_owned());
    }
    let fields = match fields(db, key)? {
        Some(fields) => fields,
        None => match db.keys.insert(key, Value::Hash(Fields::new())) {
            Value::Hash(fields) => fields,
            _ => unreachable!("a hash was inserted"),
        },
    };
    let set = |pair: &[Bytes]| fields.insert(pair[0].clone(), pair[1].clone()).is_none();
    let added: usize = pairs.chunks_exact(2).map(set).map(usize::from).sum();
    Ok(Resp::count(added))
}

pub(super) fn hdel(db: &mut Database, args: &[Bytes]) -> Outcome {
    let key = &args[0];
    let Some(fields) = fields(db, key)? else {
        return Ok(Resp::Int(0));
    };
    let removed = args[1..].iter().filter(|field| fields.remove(*field).is_some()).count();
    db.keys.remove_if_empty(key);
    Ok(Resp::count(removed))
}
