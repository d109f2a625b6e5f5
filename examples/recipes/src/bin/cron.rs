//! A job that runs once per tick, although every machine has it in its crontab and their clocks are apart.
//!
//! Whoever is first does the job, and holds the mutex for a minimum time also when the job is short: a machine whose clock
//! is behind would otherwise find it free, and do the job again.
//!
//! `cargo xtask up single -- cargo run -p semafence-recipes --bin cron`

use std::time::Duration;

use semafence_redis::{Error, Mutex};
use tokio::time::{Instant, sleep, sleep_until};

/// Longer than clocks are apart, shorter than the time between ticks.
const MINIMUM_HOLD: Duration = Duration::from_millis(500);
const TICK: Duration = Duration::from_secs(1);
const TICKS: u32 = 3;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let start = Instant::now() + Duration::from_millis(200);
    let machines = [("a", 0), ("b", 60), ("c", 150)]
        .map(|(machine, late_ms)| tokio::spawn(crontab(machine, start + Duration::from_millis(late_ms))));
    for machine in machines {
        machine.await.expect("a machine does not panic")?;
    }
    Ok(())
}

/// The crontab of one machine, by its own clock.
async fn crontab(machine: &str, start: Instant) -> Result<(), Error> {
    let client = semafence_redis::connect(&semafence_recipes::url()).await?;
    let report = client.mutex("nightly-report").ttl(Duration::from_secs(10)).build()?;

    for tick in 0..TICKS {
        sleep_until(start + TICK * tick).await;
        let ran = once_per_tick(&report, write_report()).await?;
        println!(
            "tick {tick}, machine {machine}: {}",
            if ran { "done" } else { "nothing to do" }
        );
    }
    client.close().await;
    Ok(())
}

/// Does the job unless another machine does it, or has done it within the minimum hold. A machine that dies meanwhile keeps
/// the others out for its ttl at most.
async fn once_per_tick(mutex: &Mutex, job: impl Future<Output = ()>) -> Result<bool, Error> {
    let Some(permit) = mutex.try_lock().await? else {
        return Ok(false);
    };
    let until = Instant::now() + MINIMUM_HOLD;
    permit.run(job).await?;
    sleep_until(until).await;
    permit.release().await?;
    Ok(true)
}

async fn write_report() {
    sleep(Duration::from_millis(10)).await;
}
