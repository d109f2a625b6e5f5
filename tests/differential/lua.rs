//! Lua as servers run it: numbers as text, text as numbers, conversions of replies, errors.

use std::sync::Arc;

use semafence_sim::Random;

use crate::draw::word;
use crate::quirks::Numbers;
use crate::step::{Run, Source, Step};

/// Makes text of any value, so that its type in Lua is seen. Ends with the line before which nothing is shown in reports.
pub(crate) const SHOW: &str = "local function show(value)
  if type(value) == 'table' then
    if value.err then return 'error ' .. tostring(value.err) end
    if value.ok then return 'status ' .. tostring(value.ok) end
    local parts = {}
    for i = 1, #value do parts[i] = show(value[i]) end
    return '[' .. table.concat(parts, ', ') .. ']'
  end
  if type(value) == 'number' then return string.format('%.17g', value) end
  if type(value) == 'string' then return string.format('%q', value) end
  return tostring(value)
end
--
";

const STEPS: u64 = 120;
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.1",
    "3.99",
    "-3.99",
    "1e15",
    "1e16",
    "1e14",
    "123456789012345",
    "2^53",
    "2^53+1",
    "2^62",
    "1e300",
    "-1e300",
    "1/0",
    "-1/0",
    "0/0",
    "123456789.123",
    "1767225600123456",
    "99999999999999999999",
    "5e-324",
    "0.5",
    "1e-5",
    "1e100",
];
/// Those that fit where C wants a whole number.
const WHOLE: &[&str] = &[
    "0",
    "1",
    "-1",
    "3",
    "7.9",
    "-7.9",
    "1767225600123456",
    "2^53",
    "2^62",
    "-2^62",
    "65536",
];
const SMALL: &[&str] = &["0", "1", "2", "3", "-1", "-2", "10", "1.9"];
const TEXTS: &[&str] = &[
    "''",
    "'a'",
    "'abc'",
    "'A'",
    "'10'",
    "' 12 '",
    "'0x10'",
    "'1e3'",
    "'inf'",
    "'nan'",
    "'1 2'",
    "'-'",
    "'.5'",
    "'5.'",
    "'1e'",
    "'a-b'",
    "'h 1 2 3'",
    "'{ns:name}:state'",
    "'0-2,5-5'",
    "'\\0x\\0'",
    "'\\195\\182'",
    "'%d'",
    "'-5'",
    "'9007199254740993'",
    "'ERR no'",
    "'MY own error'",
    "'lower case'",
    "'-MINUS first'",
];
const PATTERNS: &[&str] = &[
    "'%d+'",
    "'^(%S+) (.*)$'",
    "'a'",
    "'.'",
    "'^. %d+'",
    "'[^:]*'",
    "'(%d+)-(%d+)'",
    "'%x+$'",
    "''",
    "'%w'",
    "'('",
    "'%'",
];

/// What errors say: where a code belongs into it, and what of a zero byte, differs.
const MESSAGES: &[&str] = &["'lower case'", "'a'", "'it failed: 100 % of 3'", "''"];

const REPLIES: &[&str] = &["'ERR no'", "'MY own error'", "'word'", "''"];

/// `N` number, `W` whole number, `S` small one, `T` text, `M` message, `R` text of an error reply, `P` pattern: each is drawn anew.
const EXPRESSIONS: &[&str] = &[
    "tostring(N)",
    "N .. ''",
    "N .. T",
    "T .. N",
    "string.format('%.0f', N)",
    "string.format('%.17g', N)",
    "string.format('%g', N)",
    "string.format('%5.2f', N)",
    "string.format('%d', W)",
    "string.format('%s', T)",
    "string.format('%q', T)",
    "string.format('%s', W)",
    "string.format('%5d|%-5d|%05d', S, S, S)",
    "string.format('%x', S)",
    "tonumber(T)",
    "tonumber(T, 16)",
    "tonumber(T, 10)",
    "tonumber(N)",
    "tonumber(nil)",
    "tonumber(false)",
    "math.floor(N)",
    "math.ceil(N)",
    "math.max(N, N)",
    "math.min(N, N)",
    "math.abs(N)",
    "math.huge",
    "N + N",
    "N - N",
    "N * N",
    "N / N",
    "N % N",
    "N ^ S",
    "N == N",
    "N < N",
    "N <= N",
    "T == T",
    "T < T",
    "T <= T",
    "T + N",
    "T * T",
    "#T",
    "string.len(T)",
    "string.sub(T, S, S)",
    "string.sub(T, S)",
    "string.match(T, P)",
    "string.find(T, P)",
    "string.find(T, T, 1, true)",
    "string.gsub(T, P, 'x')",
    "string.rep(T, S)",
    "string.byte(T)",
    "string.upper(T)",
    "string.reverse(T)",
    "T:sub(S, S)",
    "T:upper()",
    "table.concat({N, T, W}, ',')",
    "table.concat({S, S, S}, T, 1, 2)",
    "#{N, T, nil}",
    "select('#', N, nil, nil)",
    "select(2, N, T)",
    "type(N)",
    "type(T)",
    "type(nil)",
    "type(redis.call)",
    "not N",
    "nil and N",
    "N or T",
    "unpack({S, T})",
    "next({})",
    "tostring(nil)",
    "tostring(true)",
    "rawequal(T, T)",
    "{N, N}",
    "{1, nil, 3}",
    "{T, {W, {T}}}",
    "{false, T}",
    "{true, nil}",
    "{ok = M}",
    "{err = M}",
    "redis.error_reply(R)",
    "redis.status_reply(M)",
    "redis.sha1hex(T)",
    "redis.pcall('SET', KEYS[1], N)",
    "redis.pcall('GET', KEYS[1])",
    "redis.pcall('GET')",
    "redis.pcall('NOPE')",
    "redis.pcall()",
    "redis.pcall('HGET', KEYS[1], T)",
    "redis.pcall('GET', {})",
    "redis.pcall('GET', nil)",
    "redis.pcall('GET', true)",
    "redis.pcall('HSET', KEYS[2], T, N, T, W)",
    "redis.pcall('HMGET', KEYS[2], T, T)",
    "redis.pcall('ZADD', KEYS[3], N, T)",
    "redis.pcall('ZSCORE', KEYS[3], T)",
    "redis.pcall('ZRANGE', KEYS[3], 0, -1, 'WITHSCORES')",
    "redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])",
    "redis.call('GET', KEYS[2])",
    "redis.call('INCR', KEYS[1])",
    "redis.pcall(N)",
    "redis.pcall(T)",
    "pcall(error, M)",
    "pcall(error, N)",
    "redis.LOG_WARNING",
    "ARGV[1]",
    "#ARGV",
    "#KEYS",
    "KEYS[9]",
    "ARGV[1] + 1",
];
const STATEMENTS: &[&str] = &[
    "return E",
    "return E",
    "return E",
    "return show(E)",
    "return show(E)",
    "return show(E)",
    "return show(E)",
    "return {E, E}",
    "return {show(E), show(E)}",
    "local a, b, c = E return {show(a), show(b), show(c)}",
    "error(M)",
    "error({err = M})",
    "error(N)",
    "error()",
    "error(M, 0)",
    "assert(false)",
    "assert(false, M)",
    "assert(nil, {err = M})",
    "return nil .. T",
    "local t = nil\nreturn t.x",
    "return N.x",
    "local t = {} return t.x.y",
    "nothing()",
    "global = N",
    "return global",
    "return #N",
    "return {} < {}",
    "return T < N",
    "KEYS[1] = T return KEYS[1]",
    "return",
    "local t = {} for i = 1, 5 do t[i] = W end table.sort(t) return t",
    "local t = {T, T, T} table.sort(t) return t",
    "local t = {} for a in string.gmatch(T, P) do t[#t + 1] = a end return t",
    "local n = 0 for _ in pairs({N, T}) do n = n + 1 end return n",
    "for i, v in ipairs({T, nil, T}) do if v ~= T then return i end end return -1",
    "return (",
    "return 'x",
    "x =",
    "return redis.call('SET', KEYS[1], E)",
    "redis.call('SET', KEYS[1], T) error('after a write')",
];

/// Draws a run.
pub(crate) fn draw(random: &mut Random) -> Run {
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        let statement = word(random, STATEMENTS);
        let own = fill(random, statement);
        let text = format!("{SHOW}{own}");
        let mut keys: Vec<Vec<u8>> = ["text", "hash", "zset"].map(|key| key.as_bytes().to_vec()).to_vec();
        // Where an expression names a key by a number, or one that is not there.
        keys.extend(KEYS_BY_NUMBER.iter().map(|key| key.as_bytes().to_vec()));
        let args = vec![(word(random, &["1", "x", ""])).as_bytes().to_vec()];
        steps.push(Step::Script(Arc::new(Source { text, keys, args })));
        if random.chance(4) {
            steps.push(Step::Look);
        }
    }
    Run {
        steps,
        numbers: Numbers::ByValue,
    }
}

const KEYS_BY_NUMBER: &[&str] = &["nothing"];

/// Replaces the capital letters that stand alone; those in quotes are text.
fn fill(random: &mut Random, template: &str) -> String {
    let mut text = String::new();
    let mut quoted = false;
    let letters: Vec<char> = template.chars().collect();
    for (index, &letter) in letters.iter().enumerate() {
        let alone = |at: Option<&char>| at.is_none_or(|near| !near.is_ascii_alphanumeric() && *near != '_');
        let stands_alone =
            alone(index.checked_sub(1).and_then(|before| letters.get(before))) && alone(letters.get(index + 1));
        quoted ^= letter == '\'';
        if quoted || !stands_alone {
            text.push(letter);
            continue;
        }
        match letter {
            'N' => text += &format!("({})", word(random, NUMBERS)),
            'W' => text += &format!("({})", word(random, WHOLE)),
            'S' => text += &format!("({})", word(random, SMALL)),
            'T' => text += &format!("({})", word(random, TEXTS)),
            'R' => text += word(random, REPLIES),
            'M' => text += word(random, MESSAGES),
            'P' => text += word(random, PATTERNS),
            'E' => {
                let expression = word(random, EXPRESSIONS);
                text += &fill(random, expression);
            }
            other => text.push(other),
        }
    }
    text
}
