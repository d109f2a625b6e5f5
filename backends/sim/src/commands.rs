//! The table of commands. To add one: write its function, add a line; the differential test finds out whether it lies.

mod hash;
mod key;
mod server;
mod zset;

use crate::database::{Database, Resp};
use crate::keyspace::Bytes;
use crate::number::{parse_float, parse_integer};

/// What a command answers, or the text of its error.
type Outcome = Result<Resp, String>;

/// One command.
#[derive(Debug)]
pub(crate) struct Command {
    /// In lower case.
    pub(crate) name: &'static str,
    /// As in `COMMAND INFO`: how many words it takes with its name; negative for at least so many.
    arity: i8,
    keys: Keys,
    /// Whether a replica refuses it.
    pub(crate) access: Access,
    pub(crate) run: fn(&mut Database, &[Bytes]) -> Outcome,
}

/// Which arguments are keys.
#[derive(Debug, Clone, Copy)]
enum Keys {
    All,
    First,
    None,
}

/// What a command does to the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Writes, and may need memory: a full server refuses it.
    Grow,
    Read,
    /// Writes, and needs none.
    Write,
}

impl Command {
    pub(crate) fn accepts(&self, args: usize) -> bool {
        let words = i8::try_from(args + 1).unwrap_or(i8::MAX);
        if self.arity < 0 {
            words >= -self.arity
        } else {
            words == self.arity
        }
    }

    pub(crate) fn keys<'a>(&self, args: &'a [Bytes]) -> &'a [Bytes] {
        match self.keys {
            Keys::All => args,
            Keys::First => &args[..1],
            Keys::None => &[],
        }
    }
}

/// No name is longer.
const NAME_MAX: usize = 16;

/// The index of a command in [`COMMANDS`], whatever the case of its letters.
pub(crate) fn find(name: &[u8]) -> Option<usize> {
    let mut lower = [0; NAME_MAX];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    COMMANDS
        .binary_search_by(|command| command.name.as_bytes().cmp(lower))
        .ok()
}

macro_rules! commands {
    ($($name:literal $arity:literal $keys:ident $access:ident $run:path;)+) => {
        /// All commands, sorted by name.
        pub(crate) static COMMANDS: &[Command] = &[$(Command {
            name: $name, arity: $arity, keys: Keys::$keys, access: Access::$access, run: $run,
        }),+];
    };
}

commands! {
    "dbsize"            1 None  Read  key::dbsize;
    "del"              -2 All   Write key::del;
    "echo"              2 None  Read  server::echo;
    "eval"             -3 None  Read  server::not_here;
    "evalsha"          -3 None  Read  server::not_here;
    "exists"           -2 All   Read  key::exists;
    "flushall"         -1 None  Write key::flushall;
    "get"               2 First Read  key::get;
    "hdel"             -3 First Write hash::hdel;
    "hexists"           3 First Read  hash::hexists;
    "hget"              3 First Read  hash::hget;
    "hgetall"           2 First Read  hash::hgetall;
    "hlen"              2 First Read  hash::hlen;
    "hmget"            -3 First Read  hash::hmget;
    "hset"             -4 First Grow  hash::hset;
    "incr"              2 First Grow  key::incr;
    "info"             -1 None  Read  server::info;
    "keys"              2 None  Read  key::keys;
    "persist"           2 First Write key::persist;
    "pexpire"          -3 First Write key::pexpire;
    "pexpireat"        -3 First Write key::pexpireat;
    "pexpiretime"       2 First Read  key::pexpiretime;
    "ping"             -1 None  Read  server::ping;
    "pttl"              2 First Read  key::pttl;
    "publish"           3 None  Read  server::publish;
    "script"           -2 None  Read  server::not_here;
    "set"              -3 First Grow  key::set;
    "subscribe"        -2 None  Read  server::not_here;
    "time"              1 None  Read  server::time;
    "type"              2 First Read  key::kind;
    "unlink"           -2 All   Write key::del;
    "zadd"             -4 First Grow  zset::zadd;
    "zcard"             2 First Read  zset::zcard;
    "zcount"            4 First Read  zset::zcount;
    "zpopmin"          -2 First Write zset::zpopmin;
    "zrange"           -4 First Read  zset::zrange;
    "zrangebyscore"    -4 First Read  zset::zrangebyscore;
    "zrank"             3 First Read  zset::zrank;
    "zrem"             -3 First Write zset::zrem;
    "zremrangebyrank"   4 First Write zset::zremrangebyrank;
    "zremrangebyscore"  4 First Write zset::zremrangebyscore;
    "zrevrange"        -4 First Read  zset::zrevrange;
    "zrevrangebyscore" -4 First Read  zset::zrevrangebyscore;
    "zscore"            3 First Read  zset::zscore;
}

/// A command that counts from now, in the form that counts from the epoch.
pub(crate) fn absolute(mut words: Vec<Bytes>, now_ms: i64) -> Vec<Bytes> {
    let (name, ttl) = match words[0].as_slice() {
        b"pexpire" => (Some("pexpireat"), Some(2)),
        b"set" => (None, words.iter().position(|word| word.eq_ignore_ascii_case(b"PX"))),
        _ => return words,
    };
    let Some(index) = ttl else { return words };
    if let Some(name) = name {
        words[0] = name.into();
    } else {
        words[index] = b"PXAT".to_vec();
    }
    let value = &mut words[index + usize::from(name.is_none())];
    let ttl_ms = parse_integer(value).expect("the command ran");
    *value = (now_ms + ttl_ms).to_string().into_bytes();
    words
}

/// Ranks `start..=stop` of `len` members, negative ones from the end; an empty range if nothing is in it.
fn ranks(start: i64, stop: i64, len: usize) -> std::ops::Range<usize> {
    let len = i64::try_from(len).expect("a simulated collection fits into memory");
    let from_end = |rank: i64| if rank < 0 { rank + len } else { rank };
    let first = from_end(start).max(0);
    let end = from_end(stop).min(len - 1) + 1;
    let index = |rank: i64| usize::try_from(rank).expect("ranks are cut at zero");
    if first < end { index(first)..index(end) } else { 0..0 }
}

fn wrong_type() -> String {
    "WRONGTYPE Operation against a key holding the wrong kind of value".to_owned()
}

fn syntax() -> String {
    "ERR syntax error".to_owned()
}

fn integer(text: &[u8]) -> Result<i64, String> {
    parse_integer(text).ok_or_else(|| "ERR value is not an integer or out of range".to_owned())
}

fn float(text: &[u8]) -> Result<f64, String> {
    parse_float(text).ok_or_else(|| "ERR value is not a valid float".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_found_in_any_case() {
        assert!(COMMANDS.is_sorted_by(|left, right| left.name < right.name));
        assert_eq!(find(b"ZaDd").map(|index| COMMANDS[index].name), Some("zadd"));
        assert!(COMMANDS.iter().all(|command| command.name.len() <= NAME_MAX));
        assert_eq!(find(b"no"), None);
        assert_eq!(find(b"a name that is longer than any"), None);
    }

    #[test]
    fn ranks_are_cut_to_what_is_there() {
        assert_eq!(ranks(0, -1, 3), 0..3);
        assert_eq!(ranks(-2, 9, 3), 1..3);
        assert_eq!(ranks(2, 1, 3), 0..0);
        assert_eq!(ranks(0, 0, 0), 0..0);
        assert_eq!(ranks(i64::MIN, -5, 3), 0..0);
    }
}
