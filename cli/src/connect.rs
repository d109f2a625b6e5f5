//! From an address to a client.

use std::sync::Arc;

use semafence::{LockBackend, SystemClock};
use semafence_redis::{Options, Redis};

use crate::address::Address;
use crate::failure::Failure;
use crate::settings::Settings;

/// A client whose backend was chosen at run time.
pub(crate) type Client = semafence::Client<Arc<dyn LockBackend>, SystemClock>;
/// A semaphore of such a client.
pub(crate) type Semaphore = semafence::Semaphore<Arc<dyn LockBackend>, SystemClock>;

const START_A_SERVER: &str = "\
start one, for example `docker run --rm -p 6379:6379 valkey/valkey` or `redis-server`, and say --url redis://127.0.0.1/, \
or set SEMAFENCE_URL; `semafence demo` needs none";

/// Connects, and makes sure that the server answers.
pub(crate) async fn connect(settings: &Settings) -> Result<Client, Failure> {
    let backend = match &settings.address {
        None => {
            return Err(Failure::config("several processes need a server, and no address is set").hint(START_A_SERVER));
        }
        Some(Address::Simulator) => {
            let message = "sim:// lives inside one process, and several processes need a server";
            return Err(Failure::config(message).hint(START_A_SERVER));
        }
        Some(Address::Redis(server)) => Redis::new(Options::from_url(server.as_str())?)?,
    };
    let backend: Arc<dyn LockBackend> = Arc::new(backend);
    let client = Client::builder(backend).namespace(&settings.namespace).build()?;
    match client.time().await {
        Ok(_) => Ok(client),
        Err(error) => Err(at(settings.address.as_ref(), error.into())),
    }
}

/// Says which server.
fn at(address: Option<&Address>, failure: Failure) -> Failure {
    match address {
        Some(address) => Failure {
            message: format!("{address}: {}", failure.message),
            ..failure
        },
        None => failure,
    }
}
