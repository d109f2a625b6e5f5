//! Many runs on one server.

use std::env;

use semafence_sim::{Random, SEED_VARIABLE};
use xtask::{Flavor, Server};

use crate::pair::{START_US, play};
use crate::report::{repeat_command, report};
use crate::seen::Seen;
use crate::shrink::shrink;
use crate::step::Run;

/// Says how many runs a test makes, with the seed and those that follow it.
const RUNS_VARIABLE: &str = "SEMAFENCE_RUNS";

/// One test per server, in a module named after what they show.
macro_rules! on_every_server {
    ($(#[$doc:meta])* $name:ident, $draw:path, $runs:literal, $must:expr) => {
        $(#[$doc])*
        mod $name {
            #[allow(unused_imports, reason = "each draws from one of them")]
            use super::{commands, lua, verbs};


            #[test]
            fn on_redis_6_2() {
                crate::campaign::campaign(xtask::Flavor::Redis62, $runs, $draw, $must);
            }

            #[test]
            fn on_redis_7_0() {
                crate::campaign::campaign(xtask::Flavor::Redis70, $runs, $draw, $must);
            }

            #[test]
            fn on_redis_8_2() {
                crate::campaign::campaign(xtask::Flavor::Redis82, $runs, $draw, $must);
            }

            #[test]
            fn on_valkey_9_1() {
                crate::campaign::campaign(xtask::Flavor::Valkey91, $runs, $draw, $must);
            }
        }
    };
}
pub(crate) use on_every_server;

/// Draws runs and plays them.
///
/// # Panics
///
/// With a report of the first difference, or when not all was seen that must be.
pub(crate) fn campaign(flavor: Flavor, runs: u64, draw: impl Fn(&mut Random) -> Run, must: &[&str]) {
    let Some(server) = start(flavor) else { return };
    let mut seen = Seen::new();
    let first = number(SEED_VARIABLE).unwrap_or(1);
    for seed in first..first + number(RUNS_VARIABLE).unwrap_or(runs) {
        let run = draw(&mut Random::new(seed));
        let repeat = SaysHow(seed);
        let difference = play(&server, flavor, &run, &mut seen);
        std::mem::forget(repeat);
        if let Some(difference) = difference {
            let drawn = run.steps.len();
            let (run, difference) = shrink(run, difference, |run| play(&server, flavor, run, &mut Seen::new()));
            panic!("{}", report(flavor, seed, drawn, &run, &difference));
        }
    }
    if env::var_os(SEED_VARIABLE).is_none() && env::var_os(RUNS_VARIABLE).is_none() {
        let missed: Vec<_> = must.iter().filter(|&&what| !seen.contains(what)).collect();
        assert!(missed.is_empty(), "no run came across {missed:?}, only {seen:?}");
    }
}

/// Dropped by a panic, it says how to see it again.
struct SaysHow(u64);

impl Drop for SaysHow {
    fn drop(&mut self) {
        eprintln!("to repeat: {}", repeat_command(self.0));
    }
}

/// A server whose clock we set. Nothing but commands may end a key: the simulator does so when it is looked at.
fn start(flavor: Flavor) -> Option<Server> {
    if !cfg!(target_os = "linux") {
        eprintln!("SKIPPED {flavor}: the clock of a server can be set on Linux only");
        return None;
    }
    let builder = Server::builder(flavor).clock_us(START_US);
    if flavor == Flavor::Redis62 {
        return builder.start_or_skip();
    }
    builder.args(["--enable-debug-command", "local"]).start_or_skip()
}

fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
    )
}
