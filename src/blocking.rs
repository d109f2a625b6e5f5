//! The same API for threads that run no async code.
//!
//! Every call is one of the async API, carried out on the thread of the client's keeper; the calling thread sleeps until
//! it is answered. Nothing is implemented twice, and a client, its semaphores and permits can be used from both sides:
//! [`Client::blocking`](crate::Client::blocking) makes the one of the other, and [`Semaphore::as_async`] goes back.
//!
//! # Examples
//!
//! ```no_run
//! # use semafence::blocking::Client;
//! # fn print_report() {}
//! let client = Client::new(semafence_redis::Redis::from_url("redis://127.0.0.1/")?)?;
//! let printers = client.semaphore("printers", 3).build()?;
//!
//! let permit = printers.acquire()?;
//! permit.run(|_permit| print_report())?;
//! permit.release()?;
//! # Ok::<(), semafence::Error>(())
//! ```
//!
//! # Panics
//!
//! In a thread that is driving async tasks, where waiting would stop all of them, every call that waits panics
//! before anything is sent, after a panic of tokio's that it passes on in words of its own. The way out is to await the same
//! call of the async API, to which `as_async` leads, or to make it within `tokio::task::spawn_blocking`, whose threads may
//! wait.
//!
//! # Errors
//!
//! [`Error::Config`](crate::Error::Config) with field `keeper` for a client whose keeper runs as a task
//! ([`KeeperMode::Task`](crate::KeeperMode::Task)), because nobody would carry out the call.

mod client;
mod mutex;
mod permit;
mod semaphore;
mod wait;

pub use client::Client;
pub use mutex::{Mutex, MutexBuilder};
pub use permit::Permit;
pub use semaphore::{Semaphore, SemaphoreBuilder};

pub(crate) use wait::wait;
