//! What an acquire and its release cost: driver beside driver, and with replicas that acknowledge beside without.

use std::time::{Duration, Instant};

use semafence::{Client, Error};
use xtask::{Deployment, RedisFixture};

use crate::driver::Driver;

/// How much to measure.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Amount {
    /// How often each has its turn.
    #[arg(long, default_value_t = 7)]
    pub rounds: usize,
    /// How many acquisitions a turn has, each with its release.
    #[arg(long, default_value_t = 2000)]
    pub pairs: u32,
}

/// Who has a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Contender {
    driver: Driver,
    /// How many of the two replicas a grant waits for.
    acks: u32,
}

const PATIENCE: Duration = Duration::from_secs(60);

/// Prints for each driver, with and without replicas that acknowledge, the median over all rounds of the time that an
/// acquire and its release take behind idle sentinels.
///
/// # Errors
///
/// When a server cannot be started or fails.
pub async fn compare(amount: Amount) -> Result<(), String> {
    let deployment = Deployment::any().start().map_err(|error| error.to_string())?;
    deployment.await_settled(PATIENCE);
    let contenders = [0, 1, 2]
        .map(|acks| Driver::ALL.map(|driver| Contender { driver, acks }))
        .concat();
    let mut taken = vec![Vec::new(); contenders.len()];
    for _ in 0..amount.rounds {
        for (contender, taken) in contenders.iter().zip(&mut taken) {
            let measured = turn(*contender, &deployment.url(), amount.pairs).await;
            taken.push(measured.map_err(|error| error.to_string())?);
        }
    }
    let medians: Vec<Duration> = taken.into_iter().map(median).collect();
    let base = contenders.iter().position(|one| {
        *one == Contender {
            driver: Driver::RedisRs,
            acks: 0,
        }
    });
    let base = medians[base.expect("redis-rs has its turns")];
    for (Contender { driver, acks }, median) in contenders.iter().zip(&medians) {
        let ratio = median.as_secs_f64() / base.as_secs_f64();
        let name = driver.name();
        println!("{name:9} acks {acks}: {median:.1?} for an acquire and its release, {ratio:.2} x");
    }
    Ok(())
}

/// The time of one pair, on average over a turn.
async fn turn(contender: Contender, url: &str, pairs: u32) -> Result<Duration, Error> {
    let client = Client::new(contender.driver.backend(url)?)?;
    let mutex = client
        .mutex("pairs")
        .failover_grace(Duration::ZERO)
        .acks(contender.acks)
        .build()?;
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
