//! Threads that run no async code: eight of them encode, three at a time, with any number of processes that do the same.
//!
//! `cargo xtask up single -- cargo run -p semafence-recipes --bin threads`

use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use semafence_redis::Error;
use semafence_redis::blocking::{self, Permit, Semaphore};

static INSIDE: AtomicU32 = AtomicU32::new(0);
static MOST: AtomicU32 = AtomicU32::new(0);

fn main() -> Result<(), Error> {
    let client = blocking::connect(&semafence_recipes::url())?;
    let encoders = client.semaphore("encoders", 3).build()?;

    thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|video| {
                scope.spawn({
                    let encoders = &encoders;
                    move || encode_in_turn(encoders, video)
                })
            })
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().expect("a thread does not panic"))
    })?;

    println!("at most {} at once", MOST.load(Ordering::SeqCst));
    client.close();
    Ok(())
}

fn encode_in_turn(encoders: &Semaphore, video: u32) -> Result<(), Error> {
    let permit = encoders.acquire()?; // The thread sleeps until it is its turn.
    // A thread cannot be stopped from outside: the work looks at its permit, and `run` once more when it is done.
    permit.run(|permit| encode(permit, video))?;
    permit.release()?; // Or drop it.
    Ok(())
}

fn encode(permit: &Permit, video: u32) {
    MOST.fetch_max(INSIDE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
    for _frame in 0..10 {
        if !permit.is_held() {
            break;
        }
        thread::sleep(Duration::from_millis(10));
    }
    println!("video {video} encoded in slot {}", permit.slot());
    INSIDE.fetch_sub(1, Ordering::SeqCst);
}
