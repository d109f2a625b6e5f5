//! The core's types, with this backend filled in.

use semafence::{Error, SystemClock};

use crate::backend::Fred;

/// A client of a Redis or Valkey server, or of a master behind Sentinel.
pub type Client<C = SystemClock> = semafence::Client<Fred, C>;
/// Starts a [`Client`].
pub type ClientBuilder<C = SystemClock> = semafence::ClientBuilder<Fred, C>;
/// A mutex on a Redis or Valkey server, or on a master behind Sentinel.
pub type Mutex<C = SystemClock> = semafence::Mutex<Fred, C>;
/// Starts a [`Mutex`].
pub type MutexBuilder<C = SystemClock> = semafence::MutexBuilder<Fred, C>;
/// A semaphore on a Redis or Valkey server, or on a master behind Sentinel.
pub type Semaphore<C = SystemClock> = semafence::Semaphore<Fred, C>;
/// Starts a [`Semaphore`].
pub type SemaphoreBuilder<C = SystemClock> = semafence::SemaphoreBuilder<Fred, C>;

/// A client of the server at this [URL](crate::Options::from_url), with all defaults.
///
/// Connects at once, so that a wrong address is told here. For anything but defaults make a [`Fred`] of
/// [`Options`](crate::Options) and give it to [`Client::new`](semafence::Client::new) or
/// [`Client::builder`](semafence::Client::builder).
///
/// # Errors
///
/// [`Error::Config`] when the URL is wrong, [`Error::Backend`] with operation `connect` when the server is not to be
/// reached or does not let us in.
pub async fn connect(url: &str) -> Result<Client, Error> {
    Client::new(Fred::connect(url).await?)
}
