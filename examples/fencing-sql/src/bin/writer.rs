//! A process that writes its name again and again and never looks at its permit, until the database refuses it.
//!
//! `writer NAME LINES`, on the server of `SEMAFENCE_URL` and the database of `DATABASE_URL`. Says when it is inside.

#![forbid(unsafe_code)]

use std::env;
use std::error::Error as StdError;
use std::time::Duration;

use semafence_fencing_sql::{Ledger, Refused};

#[tokio::main]
async fn main() -> Result<(), Box<dyn StdError>> {
    let mut args = env::args().skip(1);
    let name = args.next().ok_or("usage: writer NAME LINES")?;
    let lines: u32 = args.next().ok_or("usage: writer NAME LINES")?.parse()?;
    let ledger = Ledger::open(&env::var("DATABASE_URL")?).await?;
    let client = semafence_redis::connect(&env::var("SEMAFENCE_URL")?).await?;
    let mutex = client.mutex("ledger").ttl(Duration::from_millis(600)).build()?;

    let permit = mutex.lock().await?;
    println!("inside");
    for _line in 0..lines {
        match ledger.write(&permit, &name).await {
            Ok(()) => tokio::time::sleep(Duration::from_millis(20)).await,
            Err(stale @ Refused::Stale { .. }) => {
                println!("refused: {stale}");
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        }
    }
    println!("done");
    client.close().await;
    Ok(())
}
