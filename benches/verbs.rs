//! The verbs one by one, on a real server on this machine: `cargo bench --bench verbs`.

use std::sync::OnceLock;
use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{AllocProfiler, Bencher, black_box};
use semafence::{Attempt, Claim, Client, HolderId, Inbox, LockBackend, Name, Queueing, Semaphore};
use semafence_redis::Redis;
use tokio::runtime::{Builder, Runtime};
use xtask::servers;

/// Counts the allocations of the benched thread; the runtime and the driver run on it, the keeper does not.
#[global_allocator]
static ALLOCATIONS: AllocProfiler = AllocProfiler::system();

static URL: OnceLock<String> = OnceLock::new();

fn main() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    URL.set(server.url()).expect("set once");
    divan::main();
}

/// A runtime and a client on it.
struct Bench {
    runtime: Runtime,
    client: Client<Redis>,
}

impl Bench {
    fn new() -> Self {
        let url = URL.get().expect("main starts the server");
        let redis = Redis::from_url(url).expect("the server's own URL is good");
        Self {
            runtime: Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime can be started"),
            client: Client::new(redis).expect("a keeper can be started"),
        }
    }

    fn semaphore(&self, name: &str, limit: u32) -> Semaphore<Redis> {
        self.client.semaphore(name, limit).build().expect("a good name")
    }
}

#[divan::bench]
fn acquire_and_release(bencher: Bencher<'_, '_>) {
    let bench = Bench::new();
    let semaphore = bench.semaphore("free", 1);

    bencher.bench_local(|| {
        bench.runtime.block_on(async {
            let permit = semaphore.acquire().await.expect("the server answers");
            permit.release().await.expect("the server answers")
        })
    });
}

#[divan::bench]
fn try_acquire_of_a_busy_one(bencher: Bencher<'_, '_>) {
    let bench = Bench::new();
    let semaphore = bench.semaphore("busy", 1);
    let taken = bench.runtime.block_on(semaphore.acquire()).expect("the server answers");

    bencher.bench_local(|| {
        let permit = bench.runtime.block_on(semaphore.try_acquire());
        assert!(permit.expect("the server answers").is_none());
    });

    drop(black_box(taken));
}

/// From one holder to a waiter and back: twice joining the queue, a look that shows it, and the hand-over. The harness
/// measures the hand-over alone.
#[divan::bench]
fn hand_over_and_back(bencher: Bencher<'_, '_>) {
    let bench = Bench::new();
    let semaphore = bench.semaphore("contended", 1);
    let first = bench
        .runtime
        .block_on(semaphore.acquire_owned())
        .expect("the server answers");
    let mut held = Some(first);

    bencher.bench_local(|| {
        for _ in 0..2 {
            let permit = held.take().expect("somebody holds");
            held = Some(bench.runtime.block_on(async {
                let waiting = tokio::spawn({
                    let semaphore = semaphore.clone();
                    async move { semaphore.acquire_owned().await.expect("handed over") }
                });
                until_queued(&semaphore).await;
                permit.release().await.expect("the server answers");
                waiting.await.expect("no panic")
            }));
        }
    });
}

async fn until_queued(semaphore: &Semaphore<Redis>) {
    // No sleep between: tokio's shortest is a millisecond.
    while semaphore.status().await.expect("the server answers").waiters_total == 0 {}
}

/// One batch of the keeper.
#[divan::bench(args = [1, 100, 1000])]
fn refresh(bencher: Bencher<'_, '_>, leases: u32) {
    let bench = Bench::new();
    let backend = bench.client.backend();
    let claims: Vec<Claim> = (0..leases).map(|lease| claim(lease, leases)).collect();
    for claim in &claims {
        let attempt = bench.runtime.block_on(backend.acquire(claim, Queueing::Never));
        assert!(matches!(attempt, Ok(Attempt::Granted(_))), "{attempt:?}");
    }

    bencher
        .counter(ItemsCount::new(leases))
        .bench_local(|| bench.runtime.block_on(backend.refresh(&claims)));
}

fn claim(holder: u32, limit: u32) -> Claim {
    Claim {
        name: Name::new("bench", &format!("kept{limit}")).expect("a good name"),
        holder: HolderId::from_bits(u128::from(holder)),
        limit,
        weight: 1,
        ttl: Duration::from_secs(30),
        window: Duration::from_secs(2),
        patience: Duration::from_secs(8),
        inbox: Inbox::from_bits(1),
        meta: "".into(),
        client_time: None,
        stepless: false,
        doubtful: false,
        grace: Duration::ZERO,
        grant: None,
    }
}
