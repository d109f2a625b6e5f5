//! From one holder to the next: how long it takes, and what it takes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use serde_json::json;
use tokio::task::JoinSet;

use crate::blpop::BlpopLine;
use crate::gauge::{self, Stats};
use crate::line::{self, Line, OurLine};
use crate::report::{Bound, Goal, Row, Section, figure};
use crate::site::{Flavor, Site};
use crate::stats::{median, percentile};

const WAITERS: [usize; 3] = [1, 100, 10_000];
const CONNECTIONS_GOAL: f64 = 3.0;
const RATIO_GOAL: f64 = 1.5;

/// What one line of waiters came to, from the first release until everyone has had its turn.
struct Drain {
    /// From before a release is sent until the next holder runs, µs, while at least half of the waiters waited.
    micros: Vec<f64>,
    stats: Stats,
    hand_overs: f64,
    connections: f64,
}

/// How often a line is opened, and how often it is then drained.
struct Rounds {
    sittings: usize,
    drains: usize,
}

impl Rounds {
    fn of(site: &Site, waiters: usize) -> Self {
        let (sittings, drains) = match waiters {
            1 => site.choose((10, 51), (3, 31)),
            2..=1000 => site.choose((5, 5), (2, 3)),
            _ => site.choose((3, 1), (1, 1)),
        };
        Self { sittings, drains }
    }
}

/// All drains of one kind of line at one number of waiters.
#[derive(Default)]
struct Outcome {
    p50: f64,
    p99: f64,
    scripts: f64,
    sent: f64,
    connections: f64,
}

pub(crate) fn measure(site: &Site) -> Vec<Section> {
    let runtime = Flavor::Multi.runtime();
    let mut section = Section {
        name: "handoff",
        about: "one mutex; from before release() until the next waiter's lock() has returned; waiters are all queued before"
            .to_owned(),
        rows: Vec::new(),
        goals: Vec::new(),
    };
    let mut outcomes = Vec::new();
    for waiters in WAITERS {
        let waiters = site.connections(waiters);
        let rounds = Rounds::of(site, waiters);
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds.sittings {
            ours.extend(runtime.block_on(sit::<OurLine>(site, waiters, rounds.drains)));
            theirs.extend(runtime.block_on(sit::<BlpopLine>(site, waiters, rounds.drains)));
        }
        let ours_outcome = Outcome::of(&ours);
        section.rows.push(ours_outcome.row::<OurLine>(waiters, ours.len()));
        section
            .rows
            .push(Outcome::of(&theirs).row::<BlpopLine>(waiters, theirs.len()));
        outcomes.push((waiters, ours_outcome));
    }
    section.goals = goals(&outcomes);
    vec![section]
}

fn goals(outcomes: &[(usize, Outcome)]) -> Vec<Goal> {
    let mut goals = Vec::new();
    for (waiters, outcome) in outcomes {
        goals.push(Goal {
            what: format!("scripts per hand-over, {waiters} waiters"),
            measured: outcome.scripts,
            // And a look every two seconds by whoever is foremost.
            bound: Bound::AtMost(2.01),
        });
        goals.push(Goal {
            what: format!("connections, {waiters} waiters"),
            measured: outcome.connections,
            bound: Bound::AtMost(CONNECTIONS_GOAL),
        });
    }
    let [(_, few), .., (most, many)] = outcomes else {
        return goals;
    };
    goals.push(Goal {
        what: format!("p50 at {most} waiters, of that at 1"),
        measured: many.p50 / few.p50,
        bound: Bound::AtMost(RATIO_GOAL),
    });
    goals
}

/// Drains one line several times; the first time warms up where it may.
async fn sit<L: Line>(site: &Site, waiters: usize, drains: usize) -> Vec<Drain> {
    let line = Arc::new(L::open(site, waiters).await);
    let mut drained = Vec::new();
    for _ in 0..drains {
        drained.push(drain(site, &line, waiters).await);
    }
    line.close().await;
    drained.drain(..usize::from(drains > 1));
    drained
}

async fn drain<L: Line>(site: &Site, line: &Arc<L>, waiters: usize) -> Drain {
    let first = line.acquire(waiters).await;
    let origin = Instant::now();
    let released_at = Arc::new(AtomicU64::new(0));
    let mut tasks = JoinSet::new();
    for who in 0..waiters {
        let (line, released_at) = (Arc::clone(line), Arc::clone(&released_at));
        tasks.spawn(async move {
            let held = line.acquire(who).await;
            let now = nanos(origin);
            // There is one holder at a time, so nobody else writes.
            let waited = now - released_at.load(Ordering::Acquire);
            released_at.store(nanos(origin), Ordering::Release);
            line.release(who, held).await;
            (now, waited)
        });
    }
    line::until_waiting(&**line, &site.server, waiters).await;
    let connections = line::connections(&site.server, L::CONTROL);
    let before = gauge::snapshot(&site.server);
    released_at.store(nanos(origin), Ordering::Release);
    line.release(waiters, first).await;
    let mut turns = tasks.join_all().await;
    let stats = gauge::since(&before, &site.server);
    turns.sort_unstable();
    turns.truncate(waiters.div_ceil(2));
    Drain {
        micros: turns.into_iter().map(|(_, waited)| waited as f64 / 1e3).collect(),
        stats,
        hand_overs: waiters as f64,
        connections,
    }
}

fn nanos(origin: Instant) -> u64 {
    u64::try_from(origin.elapsed().as_nanos()).expect("a run is shorter than five centuries")
}

impl Outcome {
    fn of(drains: &[Drain]) -> Self {
        let samples = || drains.iter().flat_map(|drain| drain.micros.iter().copied());
        let middle = |of: &dyn Fn(&Drain) -> f64| median(drains.iter().map(of));
        Self {
            p50: percentile(samples(), 50),
            p99: percentile(samples(), 99),
            scripts: middle(&|drain| drain.per_hand_over(&["evalsha"])),
            sent: middle(&|drain| drain.per_hand_over(&["blpop", "evalsha", "set"])),
            connections: middle(&|drain| drain.connections),
        }
    }

    fn row<L: Line>(&self, waiters: usize, rounds: usize) -> Row {
        vec![
            ("waiters", json!(waiters)),
            ("line", json!(L::name())),
            ("rounds", json!(rounds)),
            ("p50_us", figure(self.p50)),
            ("p99_us", figure(self.p99)),
            ("scripts", figure(self.scripts)),
            ("sent_commands", figure(self.sent)),
            ("connections", figure(self.connections)),
        ]
    }
}

impl Drain {
    /// The last holder's release hands over to nobody.
    fn per_hand_over(&self, commands: &[&str]) -> f64 {
        let calls: u64 = commands
            .iter()
            .map(|command| gauge::of(&self.stats, command).calls)
            .sum();
        (calls as f64 - 1.0) / self.hand_overs
    }
}
