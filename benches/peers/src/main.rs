//! What a lock on a majority of three servers costs, beside one server, rslock and pottery.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml -- [PYTHON]`; with the path of a Python that has `pottery`
//! installed it takes part. All take turns in each round; shown are medians over the rounds, of a free lock that is taken and
//! given back.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::process::Command;
use std::time::{Duration, Instant};

use rslock::LockManager;
use semafence::{Client, LockBackend, Mutex, Quorum};
use semafence_redis::Redis;
use xtask::Server;

const TTL: Duration = Duration::from_secs(30);
const TASKS: usize = 16;
const ROUNDS: usize = 7;
const PAIRS: usize = 300;
/// A contender that waits for a server that hangs takes half a second for each.
const LENGTH_MAX: Duration = Duration::from_secs(5);

type Pair<'a> = Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

/// Takes and gives back a free lock.
trait Contender: Sync {
    fn name(&self) -> &'static str;
    fn pair(&self, task: usize) -> Pair<'_>;
}

struct Ours<B> {
    name: &'static str,
    locks: Vec<Mutex<B>>,
}

impl<B: LockBackend> Ours<B> {
    fn new(name: &'static str, backend: B) -> Self {
        let client = Client::new(backend).expect("a keeper can be started");
        let lock = |task| client.mutex(format!("lock{task}")).ttl(TTL).failover_grace(Duration::ZERO).build();
        Self {
            name,
            locks: (0..TASKS).map(|task| lock(task).expect("a good name")).collect(),
        }
    }
}

impl<B: LockBackend> Contender for Ours<B> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn pair(&self, task: usize) -> Pair<'_> {
        Box::pin(async move {
            let permit = self.locks[task].lock().await.expect("the lock is free");
            permit.release().await.expect("it is given back");
        })
    }
}

impl Contender for LockManager {
    fn name(&self) -> &'static str {
        "rslock, 3 servers"
    }

    fn pair(&self, task: usize) -> Pair<'_> {
        Box::pin(async move {
            let name = format!("rslock{task}");
            let lock = self.lock(name.as_str(), TTL).await.expect("the lock is free");
            self.unlock(&lock).await;
        })
    }
}

/// What a contender did in one round.
struct Turn {
    median_us: f64,
    p99_us: f64,
    pairs_per_s: f64,
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let servers: Vec<Server> = (0..3).map(|_| Server::start_any().expect("a server starts")).collect();
    let url = |server: &Server| server.url();
    let quorum = || Quorum::new(servers.iter().map(|server| Redis::from_url(&url(server)).expect("its own URL")));
    let contenders: Vec<Box<dyn Contender>> = vec![
        Box::new(Ours::new("semafence, 1 server", Redis::from_url(&url(&servers[0])).expect("its own URL"))),
        Box::new(Ours::new("semafence, 3 servers", quorum().expect("three servers"))),
        Box::new(LockManager::new(servers.iter().map(url).collect::<Vec<_>>())),
    ];
    let python = std::env::args().nth(1);

    println!("| servers | contender | median of a pair, µs | 99 of 100 within, µs | pairs/s, {TASKS} tasks |\n|---|---|---|---|---|");
    measure("all up", &contenders, python.as_deref(), &servers).await;
    servers[2].stop();
    measure("one hangs", &contenders, None, &servers).await;
    servers[2].cont();
    servers[2].kill();
    measure("one is down", &contenders, None, &servers).await;
}

async fn measure(state: &str, contenders: &[Box<dyn Contender>], python: Option<&str>, servers: &[Server]) {
    let mut turns: Vec<Vec<Turn>> = contenders.iter().map(|_| Vec::new()).collect();
    for round in 0..=ROUNDS {
        for (contender, turns) in contenders.iter().zip(&mut turns) {
            let turn = turn(&**contender).await;
            // The first round warms up.
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    for (contender, turns) in contenders.iter().zip(&turns) {
        let middle = |what: fn(&Turn) -> f64| median(turns.iter().map(what).collect());
        row(state, contender.name(), middle(|turn| turn.median_us), middle(|turn| turn.p99_us), middle(|turn| turn.pairs_per_s));
    }
    if let Some(python) = python {
        pottery(state, python, servers);
    }
}

fn row(state: &str, name: &str, median_us: f64, p99_us: f64, pairs_per_s: f64) {
    println!("| {state} | {name} | {median_us:.0} | {p99_us:.0} | {pairs_per_s:.0} |");
}

async fn turn(contender: &dyn Contender) -> Turn {
    let mut micros = Vec::new();
    let start = Instant::now();
    while micros.len() < PAIRS && start.elapsed() < LENGTH_MAX {
        let began = Instant::now();
        contender.pair(0).await;
        micros.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let (start, length) = (Instant::now(), Duration::from_millis(400));
    let work = (0..TASKS).map(|task| async move {
        let mut pairs = 0;
        while start.elapsed() < length {
            contender.pair(task).await;
            pairs += 1;
        }
        pairs
    });
    let pairs: u32 = futures::future::join_all(work).await.into_iter().sum();
    micros.sort_by(f64::total_cmp);
    Turn {
        median_us: micros[micros.len() / 2],
        p99_us: micros[micros.len() * 99 / 100],
        pairs_per_s: f64::from(pairs) / start.elapsed().as_secs_f64(),
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// pottery's Redlock, one thread, in a process of its own.
fn pottery(state: &str, python: &str, servers: &[Server]) {
    let ports = servers.iter().map(|server| server.port().to_string());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/pottery_pairs.py");
    let output = Command::new(python).arg(script).args(ports).output().expect("Python runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [median_us, p99_us, pairs_per_s] = figures[..] else {
        panic!("pottery failed: {}", String::from_utf8_lossy(&output.stderr));
    };
    row(state, "pottery, 3 servers, 1 task", median_us, p99_us, pairs_per_s);
}
