//! Acquire and release of free locks over one connection, beside the same two scripts sent bare.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

use crate::bare::Bare;
use crate::contender::Contender;
use crate::gauge;
use crate::ours::Ours;
use crate::report::{Bound, Goal, Row, Section, figure};
use crate::rslock::Rslock;
use crate::site::{Flavor, Site};
use crate::stats::median;

const TASKS: [usize; 3] = [1, 16, 256];
const GOAL: f64 = 0.85;
/// Pairs over which allocations are counted.
const COUNTED: u64 = 2_000;

/// One turn of one contender.
#[derive(Debug, Clone, Copy)]
struct Turn {
    pairs_per_s: f64,
    client_micros: f64,
    server_micros: f64,
}

/// Beside the bare scripts; more is better.
#[derive(Debug, Clone, Copy)]
struct OfBare {
    pace: f64,
    /// By processor time of both sides, which other programs on the machine disturb less than the pace.
    thrift: f64,
}

impl OfBare {
    fn new(turns: &[Turn], bare: &[Turn]) -> Self {
        let micros = |turn: &Turn| turn.client_micros + turn.server_micros;
        Self {
            pace: ratio(turns, bare),
            thrift: median(turns.iter().zip(bare).map(|(turn, bare)| micros(bare) / micros(turn))),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Allocations {
    count: f64,
    bytes: f64,
}

pub(crate) fn measure(site: &Site) -> Vec<Section> {
    let allocations = allocations(site);
    let mut section = Section {
        name: "throughput",
        about: "acquire + release of a free mutex per task, one connection; µs of processor time per pair".to_owned(),
        rows: Vec::new(),
        goals: Vec::new(),
    };
    for flavor in Flavor::BOTH {
        let runtime = flavor.runtime();
        let contenders = runtime.block_on(contenders(site));
        for tasks in TASKS {
            let turns = take_turns(site, &runtime, &contenders, tasks);
            section.goals.push(Goal {
                what: format!("of bare scripts, {tasks} tasks, {}", flavor.name()),
                measured: ratio(&turns[0], &turns[1]),
                bound: Bound::AtLeast(GOAL),
            });
            for ((contender, turns_of), allocations) in contenders.iter().zip(&turns).zip(&allocations) {
                let of_bare = OfBare::new(turns_of, &turns[1]);
                section
                    .rows
                    .push(row(flavor, tasks, contender.name(), turns_of, of_bare, *allocations));
            }
        }
    }
    vec![section]
}

/// Ours first, then the bare scripts that it is compared with.
async fn contenders(site: &Site) -> Vec<Arc<dyn Contender>> {
    let most = TASKS[TASKS.len() - 1];
    vec![
        Arc::new(Ours::new(site, most)),
        Arc::new(Bare::new(site, most).await),
        Arc::new(Rslock::new(site).await),
    ]
}

/// The rounds of each contender.
fn take_turns(site: &Site, runtime: &Runtime, contenders: &[Arc<dyn Contender>], tasks: usize) -> Vec<Vec<Turn>> {
    let (rounds, length) = site.choose((9, Duration::from_millis(400)), (3, Duration::from_millis(150)));
    let mut turns = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        for (contender, turns) in contenders.iter().zip(&mut turns) {
            let turn = runtime.block_on(turn(site, contender, tasks, length));
            // The first round warms up.
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    turns
}

async fn turn(site: &Site, contender: &Arc<dyn Contender>, tasks: usize, length: Duration) -> Turn {
    let (client, server) = (gauge::own_micros(), gauge::server_micros(&site.server));
    let start = Instant::now();
    let mut workers = JoinSet::new();
    for task in 0..tasks {
        let contender = Arc::clone(contender);
        workers.spawn(async move { contender.work(task, &|_| start.elapsed() >= length).await });
    }
    let pairs = workers.join_all().await.into_iter().sum::<u64>() as f64;
    let elapsed = start.elapsed().as_secs_f64();
    Turn {
        pairs_per_s: pairs / elapsed,
        client_micros: (gauge::own_micros() - client) / pairs,
        server_micros: (gauge::server_micros(&site.server) - server) / pairs,
    }
}

/// Per pair, of a single task on the runtime's only thread; the keeper's thread is not counted.
fn allocations(site: &Site) -> Vec<Allocations> {
    let runtime = Flavor::Current.runtime();
    let contenders = runtime.block_on(contenders(site));
    let count = |contender: &Arc<dyn Contender>| {
        let work = |pairs| runtime.block_on(contender.work(0, &move |done| done >= pairs));
        work(COUNTED / 10);
        let info = allocation_counter::measure(|| {
            work(COUNTED);
        });
        Allocations {
            count: info.count_total as f64 / COUNTED as f64,
            bytes: info.bytes_total as f64 / COUNTED as f64,
        }
    };
    contenders.iter().map(count).collect()
}

fn ratio(ours: &[Turn], bare: &[Turn]) -> f64 {
    median(
        ours.iter()
            .zip(bare)
            .map(|(ours, bare)| ours.pairs_per_s / bare.pairs_per_s),
    )
}

fn row(
    flavor: Flavor,
    tasks: usize,
    name: &'static str,
    turns: &[Turn],
    of_bare: OfBare,
    allocations: Allocations,
) -> Row {
    let middle = |field: fn(&Turn) -> f64| -> Value { figure(median(turns.iter().map(field))) };
    vec![
        ("runtime", json!(flavor.name())),
        ("tasks", json!(tasks)),
        ("contender", json!(name)),
        ("pairs_per_s", middle(|turn| turn.pairs_per_s)),
        ("of_bare", figure(of_bare.pace)),
        ("cpu_of_bare", figure(of_bare.thrift)),
        ("client_us", middle(|turn| turn.client_micros)),
        ("server_us", middle(|turn| turn.server_micros)),
        ("allocations", figure(allocations.count)),
        ("allocated_bytes", figure(allocations.bytes)),
    ]
}
