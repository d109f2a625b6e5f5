//! A migration that one of several instances does, while the others wait for it and then find nothing left to do.
//!
//! `cargo xtask up single -- cargo run -p semafence-recipes --bin migration`, or without the first part on a server of
//! your own that `SEMAFENCE_URL` names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use semafence_redis::Error;
use tokio::time::sleep;

const WANTED: u32 = 7;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let schema = Arc::new(Schema(AtomicU32::new(4)));

    let instances = ["a", "b", "c"].map(|instance| tokio::spawn(start_up(instance, Arc::clone(&schema))));
    for instance in instances {
        instance.await.expect("an instance does not panic")?;
    }
    Ok(())
}

/// What each instance does before it serves.
async fn start_up(instance: &str, schema: Arc<Schema>) -> Result<(), Error> {
    let client = semafence_redis::connect(&semafence_recipes::url()).await?;
    let migrations = client.mutex("migrations").ttl(Duration::from_secs(10)).build()?;

    let permit = migrations.lock().await?; // Waits for as long as another instance migrates.
    let steps = permit.run(schema.migrate()).await?; // Kept alive meanwhile, however long it takes; stopped if lost.
    println!("instance {instance}: {steps} steps");
    permit.release().await?;

    client.close().await;
    Ok(())
}

/// What is migrated. One that must never be migrated by two at once checks the token: see `examples/fencing-sql`.
struct Schema(AtomicU32);

impl Schema {
    /// Takes the steps that are missing, and says how many those were.
    async fn migrate(&self) -> u32 {
        let found = self.0.load(Ordering::SeqCst);
        for version in found + 1..=WANTED {
            sleep(Duration::from_millis(50)).await;
            self.0.store(version, Ordering::SeqCst);
        }
        WANTED - found
    }
}
