//! Semaphores and mutexes for threads that run no async code: [`semafence::blocking`] with this backend filled in.
//!
//! ```no_run
//! let client = semafence_fred::blocking::connect("redis://127.0.0.1/")?;
//! let printers = client.semaphore("printers", 3).build()?;
//! let permit = printers.acquire()?;
//! println!("slot {}, token {}", permit.slot(), permit.token());
//! permit.release()?;
//! # Ok::<(), semafence_fred::Error>(())
//! ```

use semafence::{Error, SystemClock};

use crate::backend::Fred;

pub use semafence::blocking::Permit;

/// A client of a Redis or Valkey server, or of a master behind Sentinel, for threads.
pub type Client<C = SystemClock> = semafence::blocking::Client<Fred, C>;
/// A mutex on a Redis or Valkey server, or on a master behind Sentinel, for threads.
pub type Mutex<C = SystemClock> = semafence::blocking::Mutex<Fred, C>;
/// Starts a [`Mutex`].
pub type MutexBuilder<C = SystemClock> = semafence::blocking::MutexBuilder<Fred, C>;
/// A semaphore on a Redis or Valkey server, or on a master behind Sentinel, for threads.
pub type Semaphore<C = SystemClock> = semafence::blocking::Semaphore<Fred, C>;
/// Starts a [`Semaphore`].
pub type SemaphoreBuilder<C = SystemClock> = semafence::blocking::SemaphoreBuilder<Fred, C>;

/// A client of the server at this [URL](crate::Options::from_url), with all defaults; connects at once.
///
/// # Errors
///
/// As [`connect`](crate::connect).
///
/// # Panics
///
/// In a thread that is driving async tasks.
#[track_caller]
pub fn connect(url: &str) -> Result<Client, Error> {
    let fred = Fred::from_url(url)?;
    let client = Client::new(fred.clone())?;
    client.wait_for(async move { fred.check().await })?;
    Ok(client)
}
