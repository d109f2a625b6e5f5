//! What the programs beside this share: where the server is.

#![forbid(unsafe_code)]

use std::env;

/// The server that `SEMAFENCE_URL` names, or else Redis on its usual port of this machine.
#[must_use]
pub fn url() -> String {
    env::var("SEMAFENCE_URL").unwrap_or_else(|_| "redis://127.0.0.1/".to_owned())
}
