//! Two may write at once. One of them is overtaken without noticing, and refused, while the other one goes on.
//!
//! `cargo xtask up single -- cargo run -p semafence-fencing-sql`, on SQLite in memory;
//! `DATABASE_URL` names another one, such as `postgres://localhost/ledger`.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error as StdError;

use semafence_fencing_sql::{Ledger, Refused};
use semafence_redis::Permit;

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let url = env::var("SEMAFENCE_URL").unwrap_or_else(|_| "redis://127.0.0.1/".to_owned());
    let database = env::var("DATABASE_URL").unwrap_or_else(|_| "sqlite::memory:".to_owned());
    let ledger = Ledger::open(&database).await?;
    let client = semafence_redis::connect(&url).await?;
    let writers = client.semaphore("ledger", 2).build()?;

    let (first, second) = (writers.acquire().await?, writers.acquire().await?);
    write(&ledger, &first, "the first").await?;
    // As if the first one had stood still for longer than its lease: its slot is free for others.
    client.force_release("ledger", first.holder()).await?;
    let third = writers.acquire().await?;
    write(&ledger, &third, "the third").await?;
    write(&ledger, &second, "the second").await?; // Its token is older than the third's, and its slot another one.
    write(&ledger, &first, "the first, again").await?;

    println!("in the ledger: {:?}", ledger.lines().await?);
    drop((first, second, third));
    client.close().await;
    Ok(())
}

async fn write(ledger: &Ledger, permit: &Permit<'_>, line: &str) -> Result<(), sqlx::Error> {
    let (slot, token) = (permit.slot(), permit.token());
    match ledger.write(permit, line).await {
        Ok(()) => println!("slot {slot}, token {token}: {line}"),
        Err(stale @ Refused::Stale { .. }) => println!("refused: {stale}: {line}"),
        Err(Refused::Sql(error)) => return Err(error),
    }
    Ok(())
}
