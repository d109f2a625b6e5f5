//! Histories as text, for tests: a line is a moment in ms, a verb, its subject, and what differs from the usual.
//!
//! ```text
//! 0 ask 1 by 1 name=a limit=1 weight=1 ttl=3000 refresh=1000 wait=endless|none|ms poll
//! 1 record server=0 name=a limit=2 hold=op/token/slot+slot/ends hold=… wait=op wait=op wake=op
//! 2 grant 1 token=5 slots=0+1        busy, cancel, timeout, fail 1
//! 3 lose 1 expired|closed|forced|forgotten|refused      return 1      returned 1 held|absent|forced|waiting|error
//! 4 write 1 token=5 slot=0 refused
//! 5 pause, resume, die 1             disturb 7 network|clock|memory|process|refusal client=1      cease, calm 7
//! 6 promote 1 epoch=1 forgot         demote, forget 0      resize 2      force 1      heal, quiesce
//! ```

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use semafence::{FencingToken, HolderId, LossReason, Standing};

use crate::check::{Invariant, Report, check};
use crate::history::{
    Asked, Disturbance, End, Event, History, Lease, Patience, Record, Return, ServerId, Trouble, Waiter, What,
};

/// The history that a story tells.
pub(super) fn history(text: &str) -> History {
    let mut clients = BTreeMap::new();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let events = lines.map(|line| event(&mut clients, line)).collect();
    History { events }
}

/// What the checker says of it.
pub(super) fn story(text: &str) -> Report {
    check(&history(text))
}

impl Report {
    /// The invariants that are broken.
    pub(super) fn broken(&self) -> Vec<Invariant> {
        let mut broken: Vec<Invariant> = self.violations.iter().map(|violation| violation.invariant).collect();
        broken.dedup();
        broken
    }

    /// Older, newer, from, until and bound of each overlap.
    pub(super) fn overlaps_ms(&self) -> Vec<(u64, u64, u128, u128, u128)> {
        let overlap = |overlap: &crate::check::Overlap| {
            let [from, until, bound] = [overlap.from, overlap.until, overlap.bound].map(|at| at.as_millis());
            (overlap.older, overlap.newer, from, until, bound)
        };
        self.overlaps.iter().map(overlap).collect()
    }
}

/// A line's words.
struct Words<'t> {
    line: &'t str,
    words: Vec<&'t str>,
}

impl<'t> Words<'t> {
    fn has(&self, word: &str) -> bool {
        self.words.contains(&word)
    }

    /// The number at a place.
    fn number<T: FromStr>(&self, place: usize) -> T {
        let number = self.words.get(place).and_then(|word| word.parse().ok());
        number.unwrap_or_else(|| panic!("no number at {place}: {}", self.line))
    }

    fn all(&self, key: &str) -> impl Iterator<Item = &'t str> {
        let pairs = self.words.iter().filter_map(|word| word.split_once('='));
        pairs.filter_map(move |(name, value)| (name == key).then_some(value))
    }

    fn value<T: FromStr>(&self, key: &str) -> Option<T> {
        self.all(key).next().map(|value| parse(value))
    }

    fn name(&self) -> String {
        self.value("name").unwrap_or_else(|| "a".to_owned())
    }

    fn client(&self) -> Option<u32> {
        self.value("client")
    }
}

fn parse<T: FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("not readable: {text}"))
}

fn ms(number: u64) -> Duration {
    Duration::from_millis(number)
}

fn server(node: u32) -> ServerId {
    ServerId { site: 0, node }
}

fn holder(op: u64) -> HolderId {
    HolderId::from_bits(u128::from(op))
}

fn list(text: &str) -> Vec<u32> {
    text.split('+').map(parse).collect()
}

fn event(clients: &mut BTreeMap<u64, u32>, line: &str) -> Event {
    let words = Words {
        line,
        words: line.split_whitespace().collect(),
    };
    let at = ms(words.number(0));
    let what = what(clients, &words);
    Event { at, what }
}

fn what(clients: &mut BTreeMap<u64, u32>, words: &Words<'_>) -> What {
    match words.words[1] {
        "ask" => {
            let asked = asked(words);
            clients.insert(asked.op, asked.client);
            What::Asked(asked)
        }
        "record" => What::Record(record(clients, words)),
        "grant" | "busy" | "cancel" | "timeout" | "fail" | "unacknowledged" => answer(words),
        "lose" | "return" | "returned" | "write" => use_of(words),
        "pause" | "resume" | "die" | "disturb" | "cease" | "calm" => fault(words),
        _ => world(words),
    }
}

fn answer(words: &Words<'_>) -> What {
    let op = words.number(2);
    let how = match words.words[1] {
        "busy" => End::Busy,
        "cancel" => End::Cancelled,
        "timeout" => End::TimedOut,
        "unacknowledged" => End::Unacknowledged,
        "fail" => End::Failed(words.words.get(3..).unwrap_or_default().join(" ")),
        _ => {
            return What::Granted {
                op,
                holder: holder(op),
                token: FencingToken::from_u64(words.value("token").unwrap()),
                slots: words.all("slots").next().map_or(vec![0], list),
                acks: words.value("acks").unwrap_or(0),
            };
        }
    };
    What::Ended { op, how }
}

fn use_of(words: &Words<'_>) -> What {
    let op = words.number(2);
    match words.words[1] {
        "lose" => What::Lost {
            op,
            reason: reason(words),
        },
        "return" => What::Returning {
            op,
            how: Return::Released,
        },
        "returned" => What::Returned {
            op,
            answer: standing(words),
        },
        _ => What::Wrote {
            op,
            slot: words.value("slot").unwrap_or(0),
            token: FencingToken::from_u64(words.value("token").unwrap()),
            admitted: !words.has("refused"),
        },
    }
}

fn reason(words: &Words<'_>) -> LossReason {
    match words.words.get(3) {
        Some(&"closed") => LossReason::Closed,
        Some(&"forced") => LossReason::Forced,
        Some(&"forgotten") => LossReason::Forgotten,
        Some(&"refused") => LossReason::Refused,
        _ => LossReason::Expired,
    }
}

fn standing(words: &Words<'_>) -> Result<Standing, String> {
    match words.words[3] {
        "held" => Ok(Standing::Held),
        "absent" => Ok(Standing::Absent),
        "forced" => Ok(Standing::Forced),
        "waiting" => Ok(Standing::Waiting),
        other => Err(other.to_owned()),
    }
}

fn fault(words: &Words<'_>) -> What {
    let client = || words.number(2);
    match words.words[1] {
        "pause" => What::Paused { client: client() },
        "resume" => What::Resumed { client: client() },
        "die" => What::Died { client: client() },
        "cease" => What::Ceased {
            number: words.number(2),
        },
        "calm" => What::Calmed {
            number: words.number(2),
        },
        _ => What::Disturbed(Disturbance {
            number: words.number(2),
            trouble: trouble(words.words[3]),
            client: words.client(),
            text: words.line.to_owned(),
        }),
    }
}

fn trouble(word: &str) -> Trouble {
    match word {
        "clock" => Trouble::Clock,
        "lag" => Trouble::Lag,
        "memory" => Trouble::Memory,
        "network" => Trouble::Network,
        "process" => Trouble::Process,
        "refusal" => Trouble::Refusal,
        "step" => Trouble::Step,
        other => panic!("no trouble: {other}"),
    }
}

fn world(words: &Words<'_>) -> What {
    match words.words[1] {
        "promote" => What::Promoted {
            server: server(words.number(2)),
            epoch: words.value("epoch").unwrap(),
            forgot: words.has("forgot"),
        },
        "demote" => What::Demoted {
            server: server(words.number(2)),
        },
        "follow" => What::Followed {
            replicas: words.number(2),
        },
        "begin" => What::Began {
            server: server(words.number(2)),
        },
        "forget" => What::Forgot {
            server: server(words.number(2)),
            all: words.has("all"),
        },
        "resize" => What::Resized {
            name: words.name(),
            limit: words.words.get(2).map(|limit| parse(limit)),
        },
        "force" => What::Forced {
            name: words.name(),
            holder: holder(words.number(2)),
        },
        "heal" => What::Healed,
        "quiesce" => What::Quiesced,
        other => panic!("no verb: {other}"),
    }
}

fn asked(words: &Words<'_>) -> Asked {
    let ttl = words.value("ttl").unwrap_or(3000);
    Asked {
        op: words.number(2),
        client: words.number(4),
        name: words.name(),
        limit: words.value("limit").unwrap_or(1),
        weight: words.value("weight").unwrap_or(1),
        ttl: ms(ttl),
        refresh_interval: ms(words.value("refresh").unwrap_or(ttl / 3)),
        patience: match words.all("wait").next() {
            None | Some("endless") => Patience::Endless,
            Some("none") => Patience::None,
            Some(time) => Patience::Timed(ms(parse(time))),
        },
        grace: ms(words.value("grace").unwrap_or(0)),
        acks: words.value("acks").unwrap_or(0),
        acks_timeout: ms(words.value("for").unwrap_or(0)),
        stepless: words.has("stepless"),
        queues: !words.has("poll"),
    }
}

fn record(clients: &BTreeMap<u64, u32>, words: &Words<'_>) -> Record {
    let client = |op: u64| clients.get(&op).copied();
    let lease = |text: &str| {
        let parts: Vec<&str> = text.split('/').collect();
        let op = parse(parts[0]);
        Lease {
            holder: holder(op),
            client: client(op),
            token: FencingToken::from_u64(parse(parts[1])),
            slots: list(parts[2]),
            ends: ms(parse(parts[3])),
        }
    };
    let waiter = |text: &str, queues: bool| {
        let op = parse(text);
        Waiter {
            holder: holder(op),
            client: client(op),
            weight: 1,
            queues,
        }
    };
    let queued = words.all("wait").map(|text| waiter(text, true));
    let woken = words.all("wake").map(|text| waiter(text, false));
    Record {
        server: server(words.value("server").unwrap_or(0)),
        name: words.name(),
        limit: words.value("limit"),
        holders: words.all("hold").map(lease).collect(),
        waiters: queued.chain(woken).collect(),
    }
}
