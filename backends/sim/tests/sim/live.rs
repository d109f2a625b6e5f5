//! On a runtime whose clock runs, as in the demonstration of the command line.

use std::time::Duration;

use semafence::{Client, SystemClock};
use semafence_sim::Sim;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_simulation_runs_in_real_time_with_keepers_on_their_own_threads() {
    let sim = Sim::new(1);
    let mut workers = Vec::new();
    for _ in 0..3 {
        let client = Client::builder(sim.backend()).clock(SystemClock).build().unwrap();
        let mutex = client.mutex("m").ttl(Duration::from_millis(500)).build().unwrap();
        workers.push(tokio::spawn(async move {
            let mut tokens = Vec::new();
            for _ in 0..5 {
                let permit = mutex.lock().await.unwrap();
                tokens.push(permit.token());
                permit.release().await.unwrap();
            }
            client.close().await;
            tokens
        }));
    }

    let mut tokens = Vec::new();
    for worker in workers {
        tokens.extend(worker.await.unwrap());
    }

    tokens.sort();
    tokens.dedup();
    assert_eq!(tokens.len(), 15);
    assert_eq!(sim.server().violations(), Vec::<String>::new());
}
