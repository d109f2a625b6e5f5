//! A semaphore of three, used and lost: on the simulator, so it needs no server and takes no time.
//!
//! `cargo run --example quick_start`

use std::time::Duration;

use semafence_sim::{Client, Error, Fence, Sim};

fn main() -> Result<(), Error> {
    semafence_sim::run(1, |sim| async move {
        work_while_holding(&sim).await?;
        lose_a_lease(&sim).await
    })
}

async fn work_while_holding(sim: &Sim) -> Result<(), Error> {
    let client = sim.client();
    let printers = client.semaphore("printers", 3).ttl(Duration::from_secs(15)).build()?;

    let permit = printers.acquire().await?;
    println!("{permit:?}");
    let pages = permit.run(print_for(Duration::from_secs(3600))).await?;
    println!("printed {pages} pages in an hour, on a lease of 15 s");
    permit.release().await?;
    Ok(())
}

/// What becomes of a holder that is cut off, and of the write that it tries nevertheless.
async fn lose_a_lease(sim: &Sim) -> Result<(), Error> {
    let (first, second) = (sim.client(), sim.client());
    let mutex = |client: &Client| client.mutex("page").ttl(Duration::from_secs(15)).build();
    let (ours, theirs) = (mutex(&first)?, mutex(&second)?);
    let mut page = Fence::new();

    let old = ours.lock().await?;
    first.backend().process().partition();
    let lost = old.run(print_for(Duration::from_secs(3600))).await;
    println!("{}", lost.expect_err("it was cut off for longer than its lease"));

    let new = theirs.lock().await?;
    println!("next: {new:?}");
    page.admit(new.slot(), new.token()).expect("the newest token");
    let stale = page.admit(old.slot(), old.token());
    println!("{}", stale.expect_err("an older token of the same slot"));
    Ok(())
}

async fn print_for(time: Duration) -> u64 {
    tokio::time::sleep(time).await;
    time.as_secs() / 10
}

#[test]
fn it_runs_to_its_end() -> Result<(), Error> {
    main()
}
