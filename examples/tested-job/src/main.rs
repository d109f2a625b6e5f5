//! The job in production: on a server. `cargo xtask up single -- cargo run -p semafence-tested-job`
//!
//! Its tests need no server: `cargo test -p semafence-tested-job`

#![forbid(unsafe_code)]

use std::env;

use semafence_redis::Error;
use semafence_tested_job::{Books, send_invoices};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let url = env::var("SEMAFENCE_URL").unwrap_or_else(|_| "redis://127.0.0.1/".to_owned());
    let client = semafence_redis::connect(&url).await?;
    let books = Books::with_unsent(3);

    send_invoices(&client.mutex("invoices").build()?, &books).await?;

    println!("sent: {:?}", books.sent());
    client.close().await;
    Ok(())
}
