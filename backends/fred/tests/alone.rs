//! This crate alone is enough: nothing here is imported from anywhere else but the test tooling.

use std::time::Duration;

use semafence_fred::{Client, Config, Error, Mutex, OwnedPermit, Semaphore, Strategy};
use xtask::servers;

#[tokio::test]
async fn one_dependency_is_enough_for_semaphores_and_mutexes() -> Result<(), Error> {
    let Some(server) = servers::any_server_or_skip() else {
        return Ok(());
    };
    let client: Client = semafence_fred::connect(&server.url()).await?;
    let printers: Semaphore = client.semaphore("printers", 2).ttl(Duration::from_secs(15)).build()?;
    let migrations: Mutex = client.mutex("migrations").strategy(Strategy::Poll).build()?;
    let backups = client.semaphore_from(Config::new("backups", 3))?;

    let first = printers.acquire().await?;
    let second: OwnedPermit = printers.acquire_owned().await?;
    let migration = migrations.lock().await?;
    let backup = backups.acquire().await?;

    assert_eq!((first.slot(), second.slot()), (0, 1));
    assert!(second.token() > first.token());
    assert!(printers.try_acquire().await?.is_none());
    for permit in [first, second, migration, backup] {
        permit.release().await?;
    }
    client.close().await;
    Ok(())
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_when_connecting() {
    let error = semafence_fred::connect("redis://jobs:secret@127.0.0.1:1/")
        .await
        .unwrap_err();

    assert!(
        matches!(
            error,
            Error::Backend {
                operation: "connect",
                ..
            }
        ),
        "{error}"
    );
    assert!(error.is_transient());
    assert!(!format!("{error} {error:?}").contains("secret"));
}
