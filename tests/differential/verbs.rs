//! Our scripts: few names and holders, so that they meet, and all that may befall a server between two calls.

use std::sync::Arc;
use std::time::Duration;

use semafence::script::{self, Invocation};
use semafence::{Addition, Claim, FencingToken, Grant, HolderId, Inbox, Name, Queueing, Timestamp};
use semafence_sim::Random;

use crate::draw::{one, word};
use crate::pair::{INBOXES, START_US};
use crate::quirks::Numbers;
use crate::step::{Refusal, Run, Step};

const STEPS: u64 = 80;
const NAMES: [&str; 3] = ["a", "b", "odd {name}: 100 %\u{7f}ö"];
const HOLDERS: u64 = 6;
const LIMITS: [u32; 8] = [1, 1, 1, 2, 3, 5, 9, 65_536];
const TTLS_MS: [u64; 6] = [100, 500, 3_000, 3_000, 30_000, 86_400_000];
/// More often none than another one.
const REFUSALS: [Refusal; 5] = [
    Refusal::Growth,
    Refusal::Writes,
    Refusal::Nothing,
    Refusal::Nothing,
    Refusal::Nothing,
];
const METAS: [&str; 5] = ["", "host 1", "a=b %d %s 'x' \"", "\u{0}zero\u{0}", "ends with space "];
const MINUTE_US: i64 = 60_000_000;

/// What the usual seeds must come across. A full queue takes more waiters than fit into a test.
pub(crate) const MUST: &[&str] = &[
    "acquire 0",
    "acquire 1",
    "acquire 2",
    "acquire 3",
    "acquire 5",
    "acquire ERR",
    "acquire NOREPLICAS",
    "acquire NOSCRIPT",
    "acquire OOM",
    "acquire WRONGTYPE",
    "add_permits 0",
    "add_permits 1",
    "force_release 0",
    "force_release 1",
    "force_release 2",
    "force_release 3",
    "inspect some",
    "list 0",
    "list 1",
    "list 2",
    "message forced",
    "message look",
    "refresh 0",
    "refresh 1",
    "refresh 2",
    "refresh 3",
    "release 0",
    "release 1",
    "release 2",
    "release 3",
    "resize some",
];

/// Draws a run.
pub(crate) fn draw(random: &mut Random) -> Run {
    let mut cast = Cast::new(random);
    let mut steps = Vec::new();
    for _ in 0..STEPS {
        let step = cast.step(random);
        if let Step::Clock(us) = step {
            cast.now_us += us;
        }
        steps.push(step);
        if random.chance(8) {
            steps.push(Step::Look);
        }
    }
    Run {
        steps,
        numbers: Numbers::ToTheLetter,
    }
}

/// Who asks for what in one run.
struct Cast {
    names: Vec<Name>,
    /// The last claim of each holder.
    claims: Vec<Claim>,
    now_us: i64,
    /// Of a hundred steps, how many are no call.
    trouble: u64,
    client_time: bool,
    stepless: bool,
}

impl Cast {
    fn new(random: &mut Random) -> Self {
        let count = 1 + usize::try_from(random.below(3)).expect("below three");
        let names: Vec<_> = NAMES[..count]
            .iter()
            .map(|name| Name::new("diff", name).unwrap())
            .collect();
        let claims = (0..HOLDERS).map(|holder| draw_claim(random, &names, holder)).collect();
        let (trouble, time) = (*one(random, &[0, 5, 20]), random.below(100));
        Self {
            names,
            claims,
            now_us: START_US,
            trouble,
            client_time: time < 15,
            stepless: (15..30).contains(&time),
        }
    }

    fn step(&mut self, random: &mut Random) -> Step {
        match random.below(100) {
            roll if roll < self.trouble => self.trouble(random),
            roll if roll < self.trouble + 15 => Step::Clock(passes(random)),
            _ => Step::Call(Arc::new(self.call(random))),
        }
    }

    fn call(&mut self, random: &mut Random) -> Invocation {
        let holder = random.below(HOLDERS);
        let claim = self.claim(random, holder);
        match random.below(100) {
            0..45 => {
                let queueing = [Queueing::Never, Queueing::HandOff, Queueing::HandOff, Queueing::WakeUp];
                script::acquire(&claim, *one(random, &queueing))
            }
            45..67 => {
                let doubtful = random.chance(20);
                script::release(&Claim { doubtful, ..claim })
            }
            67..81 => self.refresh(random, claim),
            81..85 => script::force_release(&claim.name, claim.holder),
            85..87 => self.addition(random, &claim),
            87..90 => {
                let limit = *one(random, &[None, None, Some(1), Some(2), Some(4), Some(70)]);
                script::resize(one(random, &self.names), limit)
            }
            90..97 => script::inspect(one(random, &self.names)),
            _ => script::list("diff").expect("a good namespace"),
        }
    }

    /// The claim that a holder made before, or now and then another one.
    fn claim(&mut self, random: &mut Random, holder: u64) -> Claim {
        let index = usize::try_from(holder).expect("an index");
        if random.chance(25) {
            self.claims[index] = draw_claim(random, &self.names, holder);
        }
        let mut claim = self.claims[index].clone();
        claim.stepless = self.stepless;
        if self.client_time {
            let skewed_us = self.now_us + *one(random, &[0, 0, 1_500, 2_000_000, -2_000_000, 3_600_000_000]);
            claim.client_time = Some(Timestamp::from_micros(skewed_us.max(1).unsigned_abs()));
        }
        claim
    }

    fn refresh(&mut self, random: &mut Random, first: Claim) -> Invocation {
        let mut claims = vec![first];
        for _ in 0..random.below(4) {
            let holder = random.below(HOLDERS);
            claims.push(self.claim(random, holder));
        }
        let name = claims[0].name.clone();
        script::refresh(
            claims
                .iter()
                .map(|claim| Claim {
                    name: name.clone(),
                    ..claim.clone()
                })
                .collect::<Vec<_>>()
                .iter(),
        )
    }

    /// Few ids, so that one comes twice, or is a holder's.
    fn addition(&self, random: &mut Random, claim: &Claim) -> Invocation {
        script::add_permits(&Addition {
            name: one(random, &self.names).clone(),
            id: HolderId::from_bits(u128::from(random.below(HOLDERS + 4))),
            permits: *one(random, &[1, 1, 2, 65_535]),
            limit: claim.limit,
        })
    }

    fn trouble(&self, random: &mut Random) -> Step {
        let key = |random: &mut Random| {
            let keys = one(random, &self.names).keys();
            one(random, keys).clone()
        };
        let words = |words: &[&str]| Step::Command(words.iter().map(|word| word.as_bytes().to_vec()).collect());
        match random.below(100) {
            0..20 => words(&["DEL", &key(random)]),
            20..23 => words(&["FLUSHALL"]),
            23..30 => Step::ForgetScripts,
            30..40 => Step::NewGeneration,
            40..46 => Step::Refuse(*one(random, &REFUSALS)),
            46..52 => words(&["SET", &key(random), "wrong type"]),
            52..56 => words(&["HSET", &key(random), "field", "of a hash"]),
            56..62 => words(&["ZADD", &key(random), "1", "member"]),
            62..68 => words(&["PEXPIRE", &key(random), word(random, &["1", "1000", "100000", "0"])]),
            68..71 => words(&["PERSIST", &key(random)]),
            71..80 => {
                let holder = HolderId::from_bits(u128::from(random.below(HOLDERS))).to_string();
                match random.below(3) {
                    0 => words(&["HDEL", self.state(random), &holder]),
                    1 => words(&["ZREM", &key(random), &holder]),
                    _ => words(&["HSET", self.state(random), &holder, word(random, RECORDS)]),
                }
            }
            80..85 => words(&[
                "HSET",
                self.state(random),
                word(random, &["used", "high"]),
                word(random, SLOTS),
            ]),
            85..95 => words(&["HSET", self.state(random), word(random, FIELDS), word(random, VALUES)]),
            _ => words(&[
                "HSET",
                "semafence:generation",
                word(random, &["base", "at", "replid"]),
                word(random, VALUES),
            ]),
        }
    }

    fn state<'a>(&'a self, random: &mut Random) -> &'a str {
        &one(random, &self.names).keys()[0]
    }
}

const FIELDS: &[&str] = &[
    "queued", "wakers", "ticket", "limit", "seen", "until", "token", "gen", "tick", "more",
];
/// Small: a script that is told of 10^12 slots counts them all.
const SLOTS: &[&str] = &["0", "1", "3", "-1", "1.5", "", "x", "70"];
const VALUES: &[&str] = &[
    "0",
    "1",
    "3",
    "-1",
    "1.5",
    "",
    "x",
    "1e3",
    "9007199254740990",
    "1767225700000",
];
const RECORDS: &[&str] = &[
    "",
    "h",
    "t",
    "f",
    "q 1 1 100 100 0000000000000001 5 1 x",
    "h 1 1 9 9 1 5 9 0-0 x",
    "z z z",
];

fn draw_claim(random: &mut Random, names: &[Name], holder: u64) -> Claim {
    let limit = *one(random, &LIMITS);
    let weight = if random.chance(75) {
        1
    } else {
        *one(random, &[1, 2, 2, 3, 5, 12])
    };
    let millis = |random: &mut Random, of: &[u64]| Duration::from_millis(*one(random, of));
    Claim {
        name: one(random, names).clone(),
        holder: HolderId::from_bits(u128::from(holder)),
        limit,
        weight,
        ttl: millis(random, &TTLS_MS),
        window: millis(random, &[100, 1_000, 2_000]),
        patience: millis(random, &[200, 10_000, 60_000]),
        inbox: Inbox::from_bits(random.below(INBOXES)),
        meta: Arc::from(word(random, &METAS)),
        client_time: None,
        stepless: false,
        doubtful: false,
        grace: millis(random, &[0, 0, 1_000, 30_000]),
        grant: random.chance(20).then(|| Arc::new(draw_grant(random, weight))),
    }
}

/// What a server may have forgotten: all that a client can hold, as far as servers are concerned.
fn draw_grant(random: &mut Random, weight: u32) -> Grant {
    let first = u32::try_from(random.below(4)).expect("below four");
    Grant {
        token: FencingToken::from_u64(1 + random.below(3)),
        slots: (first..first + weight).collect(),
        limit: 1,
        other_limit: None,
    }
}

/// Mostly a moment, at times beyond a lease, and at times back.
fn passes(random: &mut Random) -> i64 {
    let below = |random: &mut Random, us: i64| i64::try_from(random.below(us.unsigned_abs())).expect("below an i64");
    match random.below(20) {
        0..10 => below(random, 200_000),
        10..15 => below(random, 5_000_000),
        15 => below(random, MINUTE_US),
        16 => below(random, 180 * MINUTE_US),
        17 => -below(random, 2_000_000),
        18 => -below(random, 90 * MINUTE_US),
        _ => *one(random, &[1, 999, 1_000, 1_001, 100_000, 3_000_000]),
    }
}
