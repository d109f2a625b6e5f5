//! Threads cannot wait for a keeper that runs as a task.

use semafence::{Client, Error, KeeperMode};

#[test]
fn a_keeper_that_is_a_task_is_refused_by_whoever_would_block() {
    semafence_sim::run(1, |sim| async move {
        let client = Client::builder(sim.backend())
            .clock(sim.clock())
            .keeper(KeeperMode::Task)
            .build()
            .unwrap();
        let semaphore = client.semaphore("printers", 1).build().unwrap();

        let errors = [
            client.blocking().unwrap_err(),
            semaphore.blocking_acquire().unwrap_err(),
            semaphore.blocking_try_acquire().unwrap_err(),
        ];

        for error in errors {
            assert!(matches!(error, Error::Config { field: "keeper", .. }), "{error:?}");
        }
        let permit = semaphore.acquire_owned().await.unwrap();
        assert!(permit.blocking_release().is_err());
    });
}
