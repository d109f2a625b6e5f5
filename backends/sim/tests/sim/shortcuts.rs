//! The shortcuts of the usual acquire and release do what the long way does: two servers in step, one without shortcuts.

use std::collections::BTreeMap;
use std::time::Duration;

use semafence::script::{self, Invocation, Reply};
use semafence::{Claim, Name, Queueing};
use semafence_sim::{Random, Server, Sim};

use crate::support::Bench;

const STEPS: u64 = 150;

/// The script without what stands before its common part.
fn long_way(source: &str) -> &str {
    let common = source.find("-- Shared by the verbs that change a semaphore");
    &source[common.expect("a script that changes a semaphore has the common part")..]
}

fn eval(server: &Server, source: &str, call: &Invocation) -> Result<Reply, String> {
    let keys: Vec<&str> = call.keys().iter().map(String::as_str).collect();
    let args: Vec<&str> = call.args().collect();
    server.eval(source, &keys, &args)
}

/// All that a server keeps of a name. A counter that is absent is zero.
fn contents(server: &Server, name: &Name) -> BTreeMap<String, (String, Option<Duration>)> {
    let read = |key: &String| match server.run(&["TYPE", key]).expect("TYPE is answered") {
        Reply::Bytes(kind) if kind == b"hash" => hash(server, key),
        Reply::Bytes(kind) if kind == b"zset" => {
            format!("{:?}", server.run(&["ZRANGE", key, "0", "-1", "WITHSCORES"]))
        }
        other => format!("{other:?}"),
    };
    name.keys()
        .iter()
        .map(|key| (key.clone(), (read(key), server.ttl(key))))
        .collect()
}

fn hash(server: &Server, key: &str) -> String {
    let Ok(Reply::Array(words)) = server.run(&["HGETALL", key]) else {
        panic!("HGETALL is answered");
    };
    let zero = Reply::Bytes(b"0".to_vec());
    let fields = words.chunks(2).filter(|pair| pair[1] != zero);
    let fields: BTreeMap<String, String> = fields
        .map(|pair| (format!("{:?}", pair[0]), format!("{:?}", pair[1])))
        .collect();
    format!("{fields:?}")
}

fn draw_call(random: &mut Random, bench: &Bench, limits: u64) -> Invocation {
    let ttl = [100, 1_000, 30_000].map(Duration::from_millis)[usize::try_from(random.below(3)).expect("small")];
    let claim = Claim {
        limit: 1 + u32::try_from(random.below(limits)).expect("small"),
        doubtful: random.chance(10),
        grace: if random.chance(20) { ttl } else { Duration::ZERO },
        grant: None,
        ttl,
        ..bench.weighing(
            u128::from(random.below(4)),
            1 + u32::try_from(random.below(2)).expect("small"),
        )
    };
    match random.below(20) {
        0..9 => {
            let queueing = [Queueing::Never, Queueing::Never, Queueing::HandOff, Queueing::WakeUp];
            script::acquire(&claim, queueing[usize::try_from(random.below(4)).expect("small")])
        }
        9..16 => script::release(&claim),
        16..18 => script::refresh([&claim]),
        18 => script::force_release(&claim.name, claim.holder),
        _ => script::resize(
            &claim.name,
            [None, Some(1), Some(3)][usize::try_from(random.below(3)).expect("small")],
        ),
    }
}

#[test]
fn a_shortcut_does_what_the_long_way_does() {
    let mut shortcuts = 0;
    for seed in 1..=40 {
        shortcuts += semafence_sim::run(seed, |sim| async move {
            let other = Sim::new(seed);
            let (short, long) = (sim.server(), other.server());
            let bench = Bench::new(&sim, 1);
            let mut random = Random::new(seed);
            let limits = 1 + random.below(3);
            for step in 0..STEPS {
                let call = draw_call(&mut random, &bench, limits);
                let source = call.script.source();

                let replies = [eval(&short, source, &call), eval(&long, long_way(source), &call)];

                assert_eq!(replies[0], replies[1], "step {step}: {call:?}");
                assert_eq!(
                    contents(&short, &bench.name),
                    contents(&long, &bench.name),
                    "step {step}: {call:?}"
                );
                if random.chance(50) {
                    tokio::time::sleep(Duration::from_millis(random.below(150))).await;
                }
            }
            // Scripts on the long way write no zero where there was nothing.
            let tick = ["HGET", &bench.name.keys()[0], "tick"];
            u32::from(short.run(&tick) != long.run(&tick))
        });
    }

    assert!(shortcuts > 5, "the shortcut was taken in {shortcuts} runs");
}
