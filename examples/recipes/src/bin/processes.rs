//! Several processes that share a semaphore of two, one of which is killed while it holds.
//!
//! `cargo xtask up single -- cargo run -p semafence-recipes --bin processes`

use std::env;
use std::error::Error as StdError;
use std::io::{BufRead, BufReader};
use std::process::{self, Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use semafence_redis::Error;
use tokio::time::sleep;

const TTL: Duration = Duration::from_secs(1);

fn main() -> Result<(), Box<dyn StdError>> {
    // This program is both: with an argument it is one of the processes that work.
    match env::args().nth(1) {
        Some(work) => Ok(worker(Duration::from_millis(work.parse()?))?),
        None => watch(),
    }
}

/// Works for so long, and says when it is inside.
#[tokio::main]
async fn worker(work: Duration) -> Result<(), Error> {
    let client = semafence_redis::connect(&semafence_recipes::url()).await?;
    let machines = client.semaphore("machines", 2).ttl(TTL).build()?;

    let permit = machines.acquire().await?;
    println!(
        "process {} is inside, slot {}, token {}",
        process::id(),
        permit.slot(),
        permit.token()
    );
    permit.run(sleep(work)).await?;
    permit.release().await?;
    client.close().await;
    Ok(())
}

fn watch() -> Result<(), Box<dyn StdError>> {
    let (mut crashes, lines) = spawn(60_000)?;
    println!("{}", first_line(lines)?);
    let (mut stays, lines) = spawn(2_000)?;
    println!("{}", first_line(lines)?);
    let (mut waits, lines) = spawn(0)?;

    crashes.kill()?; // It cannot give anything back any more.
    let killed = Instant::now();
    println!("process {} is killed", crashes.id());
    println!("{}, {} ms after that", first_line(lines)?, killed.elapsed().as_millis());

    crashes.wait()?;
    for worker in [&mut stays, &mut waits] {
        println!("process {} ends with {}", worker.id(), worker.wait()?);
    }
    Ok(())
}

fn spawn(work_ms: u64) -> Result<(Child, ChildStdout), Box<dyn StdError>> {
    let mut command = Command::new(env::current_exe()?);
    let mut child = command.arg(work_ms.to_string()).stdout(Stdio::piped()).spawn()?;
    let lines = child.stdout.take().ok_or("stdout is piped")?;
    Ok((child, lines))
}

fn first_line(lines: ChildStdout) -> Result<String, Box<dyn StdError>> {
    let line = BufReader::new(lines).lines().next();
    Ok(line.ok_or("a worker ended without being inside")??)
}
