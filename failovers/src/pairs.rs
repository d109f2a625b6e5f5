//! What an acquire and its release cost, driver beside driver.

use std::time::{Duration, Instant};

use semafence::{Client, Error};
use xtask::Server;

use crate::driver::Driver;

/// How much to measure.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Amount {
    /// How often each driver has its turn.
    #[arg(long, default_value_t = 7)]
    pub rounds: usize,
    /// How many acquisitions a turn has, each with its release.
    #[arg(long, default_value_t = 2000)]
    pub pairs: u32,
}

/// Prints for each driver the median over all rounds of the time that an acquire and its release take on an idle server.
///
/// # Errors
///
/// When a server cannot be started or fails.
pub async fn compare(amount: Amount) -> Result<(), String> {
    let server = Server::start_any().map_err(|error| error.to_string())?;
    let mut taken = vec![Vec::new(); Driver::ALL.len()];
    for _ in 0..amount.rounds {
        for (driver, taken) in Driver::ALL.into_iter().zip(&mut taken) {
            let measured = turn(driver, &server.url(), amount.pairs).await;
            taken.push(measured.map_err(|error| error.to_string())?);
        }
    }
    let medians: Vec<Duration> = taken.into_iter().map(median).collect();
    for (driver, median) in Driver::ALL.into_iter().zip(&medians) {
        let ratio = median.as_secs_f64() / medians[medians.len() - 1].as_secs_f64();
        println!(
            "{:9} {median:.1?} for an acquire and its release, {ratio:.2} x",
            driver.name()
        );
    }
    Ok(())
}

/// The time of one pair, on average over a turn.
async fn turn(driver: Driver, url: &str, pairs: u32) -> Result<Duration, Error> {
    let client = Client::new(driver.backend(url)?)?;
    let mutex = client.mutex("pairs").build()?;
    mutex.lock().await?.release().await?;
    let started = Instant::now();
    for _ in 0..pairs {
        mutex.lock().await?.release().await?;
    }
    let taken = started.elapsed() / pairs;
    client.close().await;
    Ok(taken)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
