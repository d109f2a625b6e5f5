//! The commands that scripts use, with arguments good and bad, from scripts and from outside.

use std::sync::Arc;

use semafence_sim::Random;

use crate::draw::{one, word};
use crate::lua::SHOW;
use crate::quirks::Numbers;
use crate::step::{Run, Source, Step};

const STEPS: u64 = 150;
const KEYS: [&str; 5] = ["hash", "zset", "other zset", "text", "none"];
const FIELDS: &[&str] = &["f", "g", "1", "", "a b", "\u{0}ö", "F"];
const INTEGERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "2",
    "-2",
    "5",
    "100",
    "-100",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "1.0",
    "+1",
    " 1",
    "1 ",
    "01",
    "-0",
    "",
    "abc",
    "1e3",
    "0x10",
    "--1",
    "-",
];
const FLOATS: &[&str] = &[
    "0",
    "1",
    "2",
    "1.5",
    "-1.5",
    "0.1",
    "3",
    "1e300",
    "-1e300",
    "1e-300",
    "inf",
    "+inf",
    "-inf",
    "Infinity",
    "nan",
    "NaN",
    "-nan",
    "1e400",
    "1e-400",
    " 1",
    "1 ",
    "",
    "abc",
    "3.0000000000000001",
    "12345678901234567",
    "9007199254740993",
    "1e17",
    "123456789012345678901234567890",
    ".5",
    "5.",
    "1e",
    "1_0",
    "1d",
    "+5",
    "--1",
    "1767225600123456",
    "0.30000001",
];
/// Of zero and less, 6.2 answers with nothing, whatever the key holds.
const COUNTS: &[&str] = &["1", "2", "3", "x", "1.5", "9223372036854775807", ""];
/// What a script may give as a number, as Lua reads it. Whole ones from 1e17 on stay whole only on new servers.
const NUMBERS: &[&str] = &[
    "0", "1", "-1", "2.5", "1e300", "1e15", "2^53", "2^53+2", "0.1", "1/0", "-1/0", "3.0",
];
const TTLS: &[&str] = &[
    "1",
    "1000",
    "60000",
    "0",
    "-1",
    "9223372036854775807",
    "-9223372036854775808",
    "x",
    "1.5",
    "",
];
const MOMENTS: &[&str] = &[
    "1767225600000",
    "1767225601000",
    "1767225660000",
    "1",
    "0",
    "-1",
    "9223372036854775807",
    "x",
];

/// Draws a run.
pub(crate) fn draw(random: &mut Random) -> Run {
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        steps.push(match random.below(20) {
            0 => Step::Clock(*one(
                random,
                &[1, 500, 1_000, 1_000_000, 60_000_000, -1_000_000, 999_999],
            )),
            1 => Step::Look,
            2..6 => Step::Command(words(random)),
            _ => Step::Script(Arc::new(script(random))),
        });
    }
    Run {
        steps,
        numbers: Numbers::ByValue,
    }
}

/// A script that runs one command; some arguments are numbers of Lua's.
fn script(random: &mut Random) -> Source {
    let words = words(random);
    // Servers print numbers in different ways, and keys must be declared; of a negative count 6.2 says nothing.
    let as_text = [&b"DEL"[..], b"UNLINK", b"EXISTS", b"ZPOPMIN"].contains(&words[0].as_slice());
    let mut args = Vec::new();
    let mut call = Vec::new();
    for given in &words {
        if args.len() > 1 && !as_text && random.chance(8) {
            call.push(word(random, NUMBERS).to_owned());
        } else {
            args.push(given.clone());
            call.push(format!("ARGV[{}]", args.len()));
        }
    }
    let call = call.join(", ");
    let text = match random.below(4) {
        0 => format!("{SHOW}return redis.call({call})"),
        1 => format!("{SHOW}return show(redis.call({call}))"),
        _ => format!("{SHOW}return show(redis.pcall({call}))"),
    };
    let mut keys: Vec<Vec<u8>> = KEYS.map(|key| key.as_bytes().to_vec()).to_vec();
    // Where an argument has got into the place of a key.
    keys.extend(words.iter().skip(1).cloned());
    Source { text, keys, args }
}

/// One command and its arguments, mostly as many as it takes.
fn words(random: &mut Random) -> Vec<Vec<u8>> {
    let command = word(random, COMMANDS);
    let mut words = Vec::new();
    for part in command.split(' ') {
        match part {
            "key" => words.push(key(random, command)),
            "field" => words.push(word(random, FIELDS).to_owned()),
            "int" => words.push(mostly(random, &["0", "1", "-1", "2"], INTEGERS)),
            "count" => words.push(word(random, COUNTS).to_owned()),
            "float" => words.push(mostly(random, &["0", "1", "2", "2.5", "inf"], FLOATS)),
            "bound" => words.push(bound(random)),
            "ttl" => words.push(mostly(random, &["1", "1000"], TTLS)),
            "moment" => words.push(mostly(random, &["1767225660000"], MOMENTS)),
            "channel" => words.push("nobody listens".to_owned()),
            "more" => {
                for _ in 0..random.below(3) {
                    words.push(word(random, FIELDS).to_owned());
                }
            }
            "option" => {
                if random.chance(40) {
                    words.extend(word(random, OPTIONS).split(' ').map(str::to_owned));
                }
            }
            other => words.push(other.to_owned()),
        }
    }
    if words.len() > 1 && random.chance(3) {
        words.pop();
    }
    if random.chance(2) {
        words.push("more".to_owned());
    }
    words.into_iter().map(String::into_bytes).collect()
}

const OPTIONS: &[&str] = &[
    "NX",
    "XX",
    "CH",
    "nx",
    "NX XX",
    "WITHSCORES",
    "withscores",
    "LIMIT 0 1",
    "LIMIT 1 -1",
    "LIMIT -1 2",
    "LIMIT 1",
    "LIMIT x 1",
    "LIMIT 0 2 WITHSCORES",
    "WITHSCORES LIMIT 1 1",
    "PX 1000",
    "PX 0",
    "PX x",
    "PX",
    "PXAT 1798761600000",
    "PXAT 0",
    "NX PX 5",
    "NOPE",
];

/// The name, then what the arguments are drawn from.
const COMMANDS: &[&str] = &[
    "DEL key",
    "DEL key key",
    "UNLINK key",
    "EXISTS key",
    "EXISTS key key key",
    "TYPE key",
    "GET key",
    "SET key field",
    "SET key int option",
    "SET key field option",
    "INCR key",
    "INCR key",
    "PERSIST key",
    "PTTL key",
    "PEXPIRE key ttl",
    "PEXPIREAT key moment",
    "HSET key field int",
    "HSET key field float field int",
    "HSET key field",
    "HDEL key field more",
    "HGET key field",
    "HMGET key field more",
    "HLEN key",
    "HEXISTS key field",
    "ZADD key float field",
    "ZADD key float field",
    "ZADD key float field float field",
    "ZADD key option float field",
    "ZADD key option float field float field",
    "ZREM key field more",
    "ZSCORE key field",
    "ZCARD key",
    "ZRANK key field",
    "ZPOPMIN key",
    "ZPOPMIN key count",
    "ZRANGE key int int option",
    "ZREVRANGE key int int option",
    "ZRANGE key 0 -1 WITHSCORES",
    "ZRANGEBYSCORE key bound bound option",
    "ZREVRANGEBYSCORE key bound bound option",
    "ZRANGEBYSCORE key -inf +inf WITHSCORES",
    "ZCOUNT key bound bound",
    "ZREMRANGEBYRANK key int int",
    "ZREMRANGEBYSCORE key bound bound",
    "PUBLISH channel field",
    "PING",
    "ECHO field",
    "zAdD key 1 field",
    "NOPE key",
    "TIME",
];

/// Mostly a key of the right type.
fn key(random: &mut Random, command: &str) -> String {
    let right = match command.as_bytes()[0] {
        b'H' => "hash",
        b'Z' | b'z' if random.chance(70) => "zset",
        b'Z' | b'z' => "other zset",
        b'S' | b'I' => "text",
        _ => word(random, &KEYS),
    };
    if random.chance(90) { right } else { word(random, &KEYS) }.to_owned()
}

fn mostly(random: &mut Random, good: &[&str], any: &[&str]) -> String {
    let from = if random.chance(60) { good } else { any };
    word(random, from).to_owned()
}

fn bound(random: &mut Random) -> String {
    let exclusive = if random.chance(30) { "(" } else { "" };
    let bound = mostly(random, &["-inf", "+inf", "1", "2", "0"], FLOATS);
    // Only old servers take space before a number.
    let is_odd = bound.starts_with(' ');
    format!("{exclusive}{}", if is_odd { "x" } else { &bound })
}
