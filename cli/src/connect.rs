//! From an address to a client.

use std::sync::Arc;

use semafence::{Error, LockBackend, SystemClock};

use crate::address::Address;
use crate::exit;
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
        Some(Address::Quorum(servers)) => servers.backend()?,
        Some(Address::Redis(server)) => server.backend()?,
        Some(Address::Simulator) => return Err(no_server("sim:// lives inside one process")),
        None => return Err(no_server("no address is set")),
    };
    let client = Client::builder(backend).namespace(&settings.namespace).build()?;
    check(&client, settings.address.as_ref()).await?;
    Ok(client)
}

/// Makes sure that the server answers. The library would wait for it; a person at a terminal should be told.
pub(crate) async fn check(client: &Client, address: Option<&Address>) -> Result<(), Failure> {
    match client.time().await {
        Ok(_) => Ok(()),
        Err(error) => Err(at(address, unanswered(error))),
    }
}

/// Nothing was asked for yet, so what matters is why there is no answer. What will never be one is a wrong address.
fn unanswered(error: Error) -> Failure {
    let Error::Backend { source, .. } = &error else {
        return error.into();
    };
    let (reason, is_permanent) = (source.to_string(), source.failure() == semafence::Failure::Permanent);
    let mut failure = Failure::from(error);
    failure.message = reason;
    if is_permanent {
        failure.exit = exit::CONFIG;
    }
    failure
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

fn no_server(why: &str) -> Failure {
    Failure::config(format!("{why}, and several processes need a server")).hint(START_A_SERVER)
}
