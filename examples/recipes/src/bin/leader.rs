//! A schedule that only the leader keeps. The leader is who holds a mutex; when it leaves, the next takes over.
//!
//! `cargo xtask up single -- cargo run -p semafence-recipes --bin leader`

use std::time::Duration;

use semafence_redis::Error;
use tokio::time::{MissedTickBehavior, interval};

/// After so many ticks a leader leaves, as for a deployment.
const TICKS: u32 = 3;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let candidates = ["a", "b", "c"].map(|instance| tokio::spawn(run(instance)));
    for candidate in candidates {
        candidate.await.expect("a candidate does not panic")?;
    }
    Ok(())
}

/// What each instance runs beside its service.
async fn run(instance: &str) -> Result<(), Error> {
    let client = semafence_redis::connect(&semafence_recipes::url()).await?;
    // A leader that crashes is replaced after one ttl.
    let leader = client.mutex("cron").ttl(Duration::from_secs(10)).build()?;
    let mut left = TICKS;

    while left > 0 {
        let permit = leader.lock().await?; // The others wait here, in the order in which they came.
        match permit.run(keep_schedule(instance, &mut left)).await {
            Ok(()) => drop(permit), // Leaves: the next one leads at once.
            Err(Error::Lost { .. }) => println!("{instance} leads no more"), // Somebody else does, so stand again.
            Err(error) => return Err(error),
        }
    }
    client.close().await;
    Ok(())
}

/// The schedule; dropped at its next await point when the lead is lost.
async fn keep_schedule(instance: &str, left: &mut u32) {
    let mut clock = interval(Duration::from_millis(50));
    clock.set_missed_tick_behavior(MissedTickBehavior::Skip);
    while *left > 0 {
        clock.tick().await;
        println!("{instance} sends the reminders");
        *left -= 1;
    }
}
