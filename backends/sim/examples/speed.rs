//! How fast the simulator is: `cargo run --release -p semafence-sim --example speed`.

use std::time::{Duration, Instant};

use semafence_sim::{Sim, run};

const PAIRS: u32 = 20_000;

fn main() {
    run(1, |sim| async move {
        let client = sim.client();
        let mutex = client.mutex("free").build().expect("a valid mutex");
        let started = Instant::now();
        for _ in 0..PAIRS {
            let permit = mutex.lock().await.expect("a free mutex");
            permit.release().await.expect("a release");
        }
        report("acquire + release of a free mutex", &sim, started);
    });
    run(1, |sim| async move {
        let started = Instant::now();
        let mut workers = Vec::new();
        for _ in 0..50 {
            let semaphore = sim.client().semaphore("busy", 3).build().expect("a valid semaphore");
            workers.push(tokio::spawn(async move {
                for _ in 0..PAIRS / 50 {
                    let permit = semaphore.acquire().await.expect("a permit");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    permit.release().await.expect("a release");
                }
            }));
        }
        for worker in workers {
            worker.await.expect("a worker ends");
        }
        report("50 processes share 3 permits", &sim, started);
    });
    let started = Instant::now();
    for seed in 0..1_000 {
        run(seed, |_| async {});
    }
    println!("{:.0} worlds a second", 1_000.0 / started.elapsed().as_secs_f64());
}

fn report(what: &str, sim: &Sim, started: Instant) {
    let counts = sim.server().commands();
    let scripts = counts["evalsha"];
    let commands: u64 = counts.values().sum();
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{what}: {:.0} scripts a second, {:.1} commands each; {:.0} times real time",
        scripts as f64 / seconds,
        (commands - scripts) as f64 / scripts as f64,
        sim.now().as_secs_f64() / seconds,
    );
}
