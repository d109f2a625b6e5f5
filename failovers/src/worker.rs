//! One process of the load.

use std::time::Duration;

use futures::future::try_join_all;
use semafence::{Client, Error, LeaseTime};
use tokio::io::AsyncReadExt;
use tokio_util::sync::CancellationToken;

use crate::driver::Driver;
use crate::load::{Load, SHARED, SHARED_LIMIT};

/// What one process of the load is told.
#[derive(Debug, Clone, clap::Args)]
pub struct Orders {
    /// Which process this is.
    #[arg(long)]
    pub number: u32,
    /// Who speaks to the servers.
    #[arg(long)]
    pub driver: Driver,
    /// Where the sentinels are.
    #[arg(long)]
    pub url: String,
    /// How long leases last.
    #[arg(long, value_parser = humantime::parse_duration)]
    pub ttl: Duration,
    /// Nothing is granted for so long after a failover.
    #[arg(long, value_parser = humantime::parse_duration)]
    pub grace: Duration,
    /// Leases go by stepless time.
    #[arg(long)]
    pub stepless: bool,
}

/// Makes load until standard input ends, and prints what it saw.
///
/// # Errors
///
/// The first error that no failover explains.
pub async fn work(orders: Orders) -> Result<(), Error> {
    let client = Client::new(orders.driver.backend(&orders.url)?)?;
    let load = Load {
        number: orders.number,
        client: client.clone(),
        ttl: orders.ttl,
        grace: orders.grace,
        lease_time: if orders.stepless {
            LeaseTime::Stepless
        } else {
            LeaseTime::Server
        },
        stop: CancellationToken::new(),
    };
    let stop = load.stop.clone();
    tokio::spawn(async move {
        let _whatever_it_says_it_is_over = tokio::io::stdin().read_to_end(&mut Vec::new()).await;
        stop.cancel();
    });
    let contending = [
        load.clone().contend(SHARED.to_owned(), SHARED_LIMIT, false),
        load.clone().contend(SHARED.to_owned(), SHARED_LIMIT, true),
        load.clone().contend("one".to_owned(), 1, false),
    ];
    futures::future::try_join3(try_join_all(contending), load.clone().take_fresh(), load.keep()).await?;
    client.close().await;
    Ok(())
}
