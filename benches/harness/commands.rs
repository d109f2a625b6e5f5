//! What one acquire and release make the server do.

use serde_json::json;
use tokio::runtime::Runtime;

use crate::bare::Bare;
use crate::contender::Contender;
use crate::gauge::{self, Stats};
use crate::ours::Ours;
use crate::report::{Bound, Goal, Row, Section, figure};
use crate::rslock::Rslock;
use crate::site::{Flavor, Site};

/// What one pair of a contender came to.
struct Pair {
    name: &'static str,
    round_trips: f64,
    stats: Stats,
    pairs: f64,
    server_micros: f64,
    keeper_sleeps: f64,
}

pub(crate) fn measure(site: &Site) -> Vec<Section> {
    let runtime = Flavor::Multi.runtime();
    let (ours, bare, rslock) = runtime.block_on(async {
        let (ours, bare) = (Ours::new(site, 1), Bare::new(site, 1).await);
        (ours, bare, Rslock::new(site).await)
    });
    let contenders: [&dyn Contender; 3] = [&ours, &bare, &rslock];
    let pairs = contenders.map(|contender| count(site, &runtime, contender));
    let goals = ["round trips per pair", "scripts per pair"].map(str::to_owned);
    let measured = [pairs[0].round_trips, pairs[0].calls("evalsha")];
    let goals = goals.into_iter().zip(measured).map(|(what, measured)| Goal {
        what,
        measured,
        bound: Bound::AtMost(2.0),
    });
    vec![
        Section {
            name: "commands",
            about: "acquire + release of a free mutex, per pair, by one task; script time by INFO commandstats"
                .to_owned(),
            rows: pairs.iter().map(Pair::row).collect(),
            goals: goals.collect(),
        },
        Section {
            name: "commands_inside",
            about: "what the two scripts call, per pair; µs of the server by INFO commandstats".to_owned(),
            rows: pairs[0].inside(),
            goals: Vec::new(),
        },
    ]
}

fn count(site: &Site, runtime: &Runtime, contender: &dyn Contender) -> Pair {
    let pairs = site.choose(5_000, 1_000);
    let work = |pairs| runtime.block_on(contender.work(0, &move |done| done >= pairs));
    work(pairs / 10);
    let reads = || gauge::info(&site.server, "stats", "total_reads_processed");
    let before = gauge::snapshot(&site.server);
    let (reads_before, micros, sleeps) = (reads(), gauge::server_micros(&site.server), gauge::keeper_sleeps());
    work(pairs);
    let (micros, sleeps) = (
        gauge::server_micros(&site.server) - micros,
        gauge::keeper_sleeps() - sleeps,
    );
    // Each question is read, too.
    let reads = reads() - reads_before - 1.0;
    let stats = gauge::since(&before, &site.server);
    let pairs = pairs as f64;
    Pair {
        name: contender.name(),
        round_trips: reads / pairs,
        stats,
        pairs,
        server_micros: micros / pairs,
        keeper_sleeps: sleeps / pairs,
    }
}

impl Pair {
    fn calls(&self, command: &str) -> f64 {
        gauge::of(&self.stats, command).calls as f64 / self.pairs
    }

    fn micros(&self, command: &str) -> f64 {
        gauge::of(&self.stats, command).micros as f64 / self.pairs
    }

    fn row(&self) -> Row {
        let all: u64 = self.stats.values().map(|stat| stat.calls).sum();
        vec![
            ("contender", json!(self.name)),
            ("round_trips", figure(self.round_trips)),
            ("scripts", figure(self.calls("evalsha"))),
            ("commands", figure(all as f64 / self.pairs)),
            ("script_us", figure(self.micros("evalsha"))),
            ("set_us", figure(self.micros("set"))),
            ("server_us", figure(self.server_micros)),
            ("keeper_sleeps", figure(self.keeper_sleeps)),
        ]
    }

    fn inside(&self) -> Vec<Row> {
        let inner = self.stats.keys().filter(|command| *command != "evalsha");
        let row = |command: &String| -> Row {
            vec![
                ("command", json!(command)),
                ("calls", figure(self.calls(command))),
                ("us", figure(self.micros(command))),
            ]
        };
        inner.map(row).collect()
    }
}
