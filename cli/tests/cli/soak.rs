//! Many runs at once, while supervisors and guards are killed and stopped at random.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::{Running, Signal, children_of, eventually, send};
use crate::scene::Scene;

const WORKERS: u64 = 8;
const LIMIT: usize = 3;
const TTL: Duration = Duration::from_millis(1500);
const SECONDS: &str = "SEMAFENCE_SOAK_SECONDS";
const SEED: &str = "SEMAFENCE_SOAK_SEED";

/// What runs inside. The kernel is the judge: each slot is a file lock, which the command and its child hold until both
/// are dead, however they die. Whoever gets a permit and finds its slot's lock taken has proved that two were inside.
const INSIDE: &str = "\
exec 9>>slot-$SEMAFENCE_SLOT
flock -n 9 || echo \"slot $SEMAFENCE_SLOT, token $SEMAFENCE_TOKEN: somebody is inside\" >> violations
echo \"$SEMAFENCE_SLOT $SEMAFENCE_TOKEN $0\" >> entries
sleep $1 & wait";

/// What was done to the runs.
#[derive(Debug, Default)]
struct Tally {
    runs: AtomicU64,
    supervisors_killed: AtomicU64,
    supervisors_stopped: AtomicU64,
    guards_killed: AtomicU64,
}

#[test]
fn whatever_is_killed_or_stopped_never_more_than_the_limit_are_inside() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let seconds = variable(SECONDS).unwrap_or(6);
    let seed = variable(SEED).unwrap_or_else(|| u64::from(std::process::id()));
    println!("{SEED}={seed} {SECONDS}={seconds}");
    let end = Instant::now() + Duration::from_secs(seconds);
    let tally = Tally::default();

    std::thread::scope(|scope| {
        for worker in 0..WORKERS {
            let (scene, tally, random) = (&scene, &tally, Random(seed * WORKERS + worker));
            scope.spawn(move || work(worker, random, end, scene, tally));
        }
        scope.spawn(|| watch_progress(end, &scene));
    });

    let entries = entries(&scene);
    let violations = fs::read_to_string(scene.path("violations")).unwrap_or_default();
    assert_eq!(violations, "");
    assert_tokens_grow(&entries);
    assert_nothing_is_left(&scene);
    for worker in 0..WORKERS {
        let turns = entries.iter().filter(|entry| entry.worker == worker).count();
        assert!(turns > 0, "worker {worker} never got in");
    }
    println!("{} entries, {tally:?}", entries.len());
}

/// Starts one run after another, and harms some of them.
fn work(worker: u64, mut random: Random, end: Instant, scene: &Scene, tally: &Tally) {
    while Instant::now() < end {
        let harm = Harm::choose(&mut random);
        // What is harmed would stay for longer than its lease, so that only being stopped keeps others safe from it.
        let seconds = harm.map_or_else(|| format!("0.{:02}", 5 + random.below(35)), |_| "3".to_owned());
        let name = worker.to_string();
        let options = ["run", "--limit", &LIMIT.to_string(), "--ttl", "1500ms", "soak"];
        let args = [&options[..], &["--", "sh", "-c", INSIDE, &name, &seconds]].concat();
        let mut run = scene.start(&args);
        tally.runs.fetch_add(1, Ordering::Relaxed);
        if let Some(harm) = harm {
            if random.below(3) > 0 {
                await_guard(&mut run);
            }
            sleep(Duration::from_millis(random.below(400)));
            harm.do_to(&mut run, tally);
        }
        run.status();
    }
}

/// Waits until the run is inside: before it has its permit, it has no guard.
fn await_guard(run: &mut Running) {
    eventually("a guard", || run.has_ended() || !children_of(run.pid()).is_empty());
}

#[derive(Debug, Clone, Copy)]
enum Harm {
    KillGuard,
    KillSupervisor,
    StopSupervisor,
}

impl Harm {
    /// To two runs of five.
    fn choose(random: &mut Random) -> Option<Self> {
        match random.below(10) {
            0 => Some(Self::KillGuard),
            1 | 2 => Some(Self::KillSupervisor),
            3 => Some(Self::StopSupervisor),
            _ => None,
        }
    }

    fn do_to(self, run: &mut Running, tally: &Tally) {
        let count = match self {
            Self::KillGuard => {
                await_guard(run);
                children_of(run.pid())
                    .into_iter()
                    .for_each(|guard| send(guard, Signal::KILL));
                &tally.guards_killed
            }
            Self::KillSupervisor => {
                run.send(Signal::KILL);
                &tally.supervisors_killed
            }
            Self::StopSupervisor => {
                run.send(Signal::STOP);
                sleep(TTL * 3 / 2);
                run.send(Signal::CONT);
                &tally.supervisors_stopped
            }
        };
        count.fetch_add(1, Ordering::Relaxed);
    }
}

/// Somebody gets in all the time: the longest pause is that of all permits held by the dead.
fn watch_progress(end: Instant, scene: &Scene) {
    let (mut seen, mut since, mut longest) = (0, Instant::now(), Duration::ZERO);
    while Instant::now() < end {
        sleep(Duration::from_millis(20));
        let count = entries(scene).len();
        if count > seen {
            (seen, since) = (count, Instant::now());
        }
        longest = longest.max(since.elapsed());
        assert!(longest < TTL * 4, "nobody got in for {longest:?}");
    }
    println!("longest pause between two entries: {longest:?}");
}

struct Entry {
    slot: usize,
    token: u64,
    worker: u64,
}

/// In the order in which they got in; exact within a slot, whose lock is held while its line is written.
fn entries(scene: &Scene) -> Vec<Entry> {
    let text = fs::read_to_string(scene.path("entries")).unwrap_or_default();
    let fields = |line: &str| {
        let mut fields = line.split(' ');
        let slot = fields.next()?.parse().ok()?;
        let token = fields.next()?.parse().ok()?;
        let worker = fields.next()?.parse().ok()?;
        Some(Entry { slot, token, worker })
    };
    text.lines()
        .map(|line| fields(line).unwrap_or_else(|| panic!("{line:?}")))
        .collect()
}

fn assert_tokens_grow(entries: &[Entry]) {
    let mut newest = BTreeMap::new();
    for entry in entries {
        assert!(entry.slot < LIMIT, "slot {}", entry.slot);
        let before = newest.insert(entry.slot, entry.token).unwrap_or(0);
        assert!(
            entry.token > before,
            "slot {}: {} after {before}",
            entry.slot,
            entry.token
        );
    }
}

/// No process of any run is left: none works in the directory, none holds a lock.
fn assert_nothing_is_left(scene: &Scene) {
    let directory = fs::canonicalize(scene.path(".")).unwrap();
    let left = || {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        processes
            .filter(|process| fs::read_link(process.path().join("cwd")).is_ok_and(|cwd| cwd == directory))
            .count()
    };
    // The last supervisor may have been killed a moment ago.
    eventually("the end of every process", || left() == 0);
    for slot in 0..LIMIT {
        let free = Command::new("flock")
            .arg("-n")
            .arg(scene.path(&format!("slot-{slot}")))
            .arg("true")
            .status();
        assert!(free.unwrap().success(), "the lock of slot {slot} is held");
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// SplitMix64: enough to choose whom to harm, also from seeds that are close to each other.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
