//! A program under test: what it does when a failover forgets its lock. `cargo run -p semafence-sim --example failover`.
//!
//! Two workers write reports. Each holds a mutex while it works, and the store checks its token. In the middle of it the
//! master fails, and the replica that takes over has not heard of the latest grants.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use semafence_sim::{Clock, Error, Fence, LockBackend, Permit, Sim, run_with_replicas};

/// What is guarded: a store that refuses stale writers.
#[derive(Default)]
struct Store {
    fence: Fence,
    written: u32,
    refused: u32,
}

/// The code under test. It takes any backend and clock: a server in production, the simulator in tests.
async fn report<B: LockBackend, C: Clock>(
    mutex: &semafence::Mutex<B, C>,
    store: &Arc<Mutex<Store>>,
) -> Result<(), Error> {
    let permit = mutex.lock().await?;
    permit.run(write_pages(&permit, store)).await?;
    permit.release().await?;
    Ok(())
}

async fn write_pages(permit: &Permit<'_>, store: &Arc<Mutex<Store>>) {
    for _page in 0..20 {
        // Virtual time: tokio's clock is paused, and jumps to the next thing that is due.
        tokio::time::sleep(Duration::from_millis(250)).await;
        let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
        match store.fence.admit_all(permit.slots().iter().copied(), permit.token()) {
            Ok(()) => store.written += 1,
            Err(_stale) => store.refused += 1,
        }
    }
}

async fn scenario(sim: Sim) -> (u32, u32, u32) {
    let store = Arc::new(Mutex::new(Store::default()));
    let workers = (0..2).map(|_| {
        let (client, store) = (sim.client(), Arc::clone(&store));
        tokio::spawn(async move {
            let mutex = client.mutex("reports").ttl(Duration::from_secs(3)).build()?;
            let mut interrupted = 0;
            for _report in 0..3 {
                match report(&mutex, &store).await {
                    Ok(()) => {}
                    Err(Error::Lost { .. }) => interrupted += 1,
                    Err(error) => return Err(error),
                }
            }
            Ok(interrupted)
        })
    });
    let workers: Vec<_> = workers.collect();

    // The replica has heard nothing for the last 5.5 s when the master dies: a grant and a release are forgotten.
    tokio::time::sleep(Duration::from_millis(400)).await;
    sim.deployment(0).failover(Duration::from_millis(5_500)).await;

    let mut interrupted = 0;
    for worker in workers {
        interrupted += worker
            .await
            .expect("a worker does not panic")
            .expect("a worker goes on");
    }
    let store = store.lock().unwrap_or_else(PoisonError::into_inner);
    (store.written, store.refused, interrupted)
}

fn main() {
    let (mut written, mut refused, mut interrupted) = (0, 0, 0);
    for seed in 1..=100 {
        let (pages, stale, reports) = run_with_replicas(seed, 1, scenario);
        written += pages;
        refused += stale;
        interrupted += reports;
    }
    println!(
        "100 failovers: {written} pages written, {refused} stale writes refused, {interrupted} reports interrupted"
    );
}
