//! What a failover does to the job, on the simulator: no server, no waiting, and the same each time.

use std::sync::Arc;
use std::time::Duration;

use semafence_sim::{Error, Sim, run_with_replicas};
use semafence_tested_job::{Books, send_invoices};

const INVOICES: u32 = 10;
const TTL: Duration = Duration::from_secs(6);

/// Two processes send invoices while the master fails; the replica that takes over has missed the last `lost`.
async fn two_processes_and_a_failover(sim: Sim, grace: Duration, lost: Duration) -> (Vec<u32>, Vec<Result<(), Error>>) {
    let books = Arc::new(Books::with_unsent(INVOICES));
    let processes = [(), ()].map(|()| {
        let (client, books) = (sim.client(), Arc::clone(&books));
        tokio::spawn(async move {
            let lock = client.mutex("invoices").ttl(TTL).failover_grace(grace).build()?;
            send_invoices(&lock, &books).await
        })
    });

    tokio::time::sleep(grace).await; // Before its very first grant a deployment waits for as long, too.
    sim.deployment(0).failover(lost).await;

    let mut outcomes = Vec::new();
    for process in processes {
        outcomes.push(process.await.expect("no panic"));
    }
    (books.sent(), outcomes)
}

#[test]
fn a_failover_that_forgets_the_lock_sends_no_invoice_twice() {
    for seed in 1..=50 {
        let (sent, outcomes) = run_with_replicas(seed, 1, |sim| {
            two_processes_and_a_failover(sim, Duration::ZERO, Duration::from_secs(3))
        });

        // Whoever was forgotten is told, and the other one does the rest.
        assert_eq!(sent, [1; INVOICES as usize], "seed {seed}: {outcomes:?}");
        assert!(
            outcomes
                .iter()
                .all(|outcome| matches!(outcome, Ok(()) | Err(Error::Lost { .. }))),
            "seed {seed}: {outcomes:?}"
        );
        assert!(
            outcomes.iter().any(Result::is_err),
            "seed {seed}: the failover forgot nobody"
        );
    }
}

#[test]
fn with_a_grace_a_failover_interrupts_nobody() {
    for seed in 1..=50 {
        let (sent, outcomes) = run_with_replicas(seed, 1, |sim| {
            two_processes_and_a_failover(sim, TTL, Duration::from_secs(3))
        });

        assert_eq!(sent, [1; INVOICES as usize], "seed {seed}");
        assert!(outcomes.iter().all(Result::is_ok), "seed {seed}: {outcomes:?}");
    }
}
