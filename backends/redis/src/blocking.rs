//! Semaphores and mutexes for threads that run no async code: [`semafence::blocking`] with this backend filled in.
//!
//! ```no_run
//! let client = semafence_redis::blocking::connect("redis://127.0.0.1/")?;
//! let printers = client.semaphore("printers", 3).build()?;
//! let permit = printers.acquire()?;
//! println!("slot {}, token {}", permit.slot(), permit.token());
//! permit.release()?;
//! # Ok::<(), semafence_redis::Error>(())
//! ```

use semafence::{Error, SystemClock};

use crate::backend::Redis;

pub use semafence::blocking::Permit;

/// A client of a Redis or Valkey server, for threads.
pub type Client<C = SystemClock> = semafence::blocking::Client<Redis, C>;
/// A mutex on a Redis or Valkey server, for threads.
pub type Mutex<C = SystemClock> = semafence::blocking::Mutex<Redis, C>;
/// Starts a [`Mutex`].
pub type MutexBuilder<C = SystemClock> = semafence::blocking::MutexBuilder<Redis, C>;
/// A semaphore on a Redis or Valkey server, for threads.
pub type Semaphore<C = SystemClock> = semafence::blocking::Semaphore<Redis, C>;
/// Starts a [`Semaphore`].
pub type SemaphoreBuilder<C = SystemClock> = semafence::blocking::SemaphoreBuilder<Redis, C>;

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
    let redis = Redis::from_url(url)?;
    let client = Client::new(redis.clone())?;
    client.wait_for(async move { redis.check().await })?;
    Ok(client)
}
