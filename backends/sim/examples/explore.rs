//! Plays the plans of many seeds: `cargo run --release -p semafence-sim --example explore -- [PROFILE|all] [FIRST] [COUNT]`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use semafence_sim::Marks;
use semafence_sim::explore::{MARKS, Plan, Profile, run};

fn main() {
    let mut args = std::env::args().skip(1);
    let profile = args
        .next()
        .filter(|name| name != "all")
        .map(|name| name.parse::<Profile>().expect("a profile"));
    let first: u64 = args.next().map_or(1, |text| text.parse().expect("the first seed"));
    let count: u64 = args
        .next()
        .map_or(1_000, |text| text.parse().expect("a number of seeds"));
    let (started, mut simulated, mut marks) = (Instant::now(), Duration::ZERO, Marks::default());
    let mut failures = BTreeMap::<String, (u64, String)>::new();
    let mut events = 0;
    let mut overlaps = 0;
    for seed in first..first + count {
        let plan = Plan::draw(profile.unwrap_or_else(|| Profile::of(seed)), seed);
        let outcome = run(&plan);
        simulated += outcome.simulated;
        events += outcome.history.events.len();
        overlaps += outcome.report.overlaps.len();
        marks.add(&outcome.marks);
        if let Some(violation) = outcome.report.violations.first() {
            let kind = format!("{:?} {}", violation.invariant, plan.profile);
            let entry = failures
                .entry(kind)
                .or_insert_with(|| (0, format!("seed {seed}: {violation}")));
            entry.0 += 1;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{count} histories, {:.1} h simulated, {:.0} a minute, {:.0} x real time, {} events each, {overlaps} overlaps",
        simulated.as_secs_f64() / 3600.0,
        count as f64 / seconds * 60.0,
        simulated.as_secs_f64() / seconds,
        events as u64 / count,
    );
    for mark in MARKS {
        println!("{:>9} {mark}", marks.count(mark));
    }
    for (kind, (count, first)) in failures {
        println!("{count:>6} {kind}: {first}");
    }
}
