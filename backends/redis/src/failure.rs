//! What redis-rs' errors ask of the caller.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use redis::{ErrorKind, RedisError, ServerError};
use semafence::{BackendError, Failure, Outcome};

/// The server answered with an error.
pub(crate) fn replied(error: &ServerError) -> BackendError {
    BackendError::from_reply(error.code(), error.details().unwrap_or_default())
}

/// Whether an error of the driver's is an answer of the server.
pub(crate) fn is_reply(error: &RedisError) -> bool {
    matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension)
}

/// A request was sent, or may have been, and failed: by an answer, or with its connection.
pub(crate) fn of_request(error: RedisError, address: &str) -> BackendError {
    match ServerError::try_from(error) {
        Ok(answer) => replied(&answer),
        Err(error) => unanswered(&error, address),
    }
}

fn unanswered(error: &RedisError, address: &str) -> BackendError {
    let failure = match error.kind() {
        ErrorKind::Io => Failure::Transient,
        _ => Failure::Permanent,
    };
    let text = format!("the connection to {address} failed before the answer: {error}");
    BackendError::new(failure, Outcome::Unknown, text)
}

/// No connection could be made, so nothing was sent.
pub(crate) fn unconnected(error: &RedisError, address: &str, secrets: &[String]) -> BackendError {
    let said = scrub(&error_text(error), secrets);
    let failure = connect_failure(error, &said);
    BackendError::new(
        failure,
        Outcome::NotApplied,
        format!("cannot connect to {address}: {said}{}", hint(&said)),
    )
}

/// What a server that has no such database does not say.
fn hint(said: &str) -> &'static str {
    if said.contains("DB index is out of range") {
        "; databases are numbered from 0, and the server's setting `databases`, 16 by default, says how many there are"
    } else {
        ""
    }
}

/// The connection was left for another while the answer was on its way.
pub(crate) fn left(address: &str) -> BackendError {
    let text = format!("the connection to {address} was left before the answer");
    BackendError::new(Failure::Transient, Outcome::Unknown, text)
}

/// There was no connection in time, so nothing was sent.
pub(crate) fn late(address: &str, within: Duration) -> BackendError {
    let text = format!("cannot connect to {address} within {within:?}");
    BackendError::new(Failure::Transient, Outcome::NotApplied, text)
}

/// The runtime that was connecting has ended, so nothing was sent.
pub(crate) fn interrupted(address: &str) -> BackendError {
    let text = format!("cannot connect to {address}: the runtime that did it has ended");
    BackendError::new(Failure::Transient, Outcome::NotApplied, text)
}

/// Whether the server, or a proxy before it, speaks only version 2 of the protocol.
pub(crate) fn is_old_protocol(error: &RedisError, has_password: bool) -> bool {
    match error.code() {
        Some("ERR") => error
            .detail()
            .is_some_and(|detail| detail.starts_with("unknown command")),
        // Valkey says so to an unknown command, too; a HELLO that it knows would have brought the password.
        Some("NOAUTH") => has_password,
        Some("NOPROTO") => true,
        _ => error.kind() == ErrorKind::RESP3NotSupported,
    }
}

fn connect_failure(error: &RedisError, said: &str) -> Failure {
    // A certificate that is not trusted, and TLS on one side only, are errors of the data, not of the moment.
    let is_bad_data = io_kind(error) == Some(io::ErrorKind::InvalidData);
    match error.kind() {
        ErrorKind::Io if !is_bad_data => Failure::Transient,
        ErrorKind::AuthenticationFailed => Failure::Refused,
        // Codes that redis-rs replaces by words of its own.
        _ if said.contains("no permissions") => Failure::Refused,
        _ if said.contains("max number of clients") => Failure::Transient,
        _ => match error.code() {
            Some(code) => BackendError::from_reply(code, said).failure(),
            None => Failure::Permanent,
        },
    }
}

fn error_text(error: &RedisError) -> String {
    match (error.code(), error.detail()) {
        (Some(code), Some(detail)) => format!("{code} {detail}"),
        _ => error.to_string(),
    }
}

/// A server that does not know a command quotes its arguments, and those of HELLO are the login.
fn scrub(text: &str, secrets: &[String]) -> String {
    let (text, _) = text.split_once(", with args beginning with").unwrap_or((text, ""));
    secrets
        .iter()
        .fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
}

/// redis-rs hands out the cause of an error inside an `Arc`.
fn io_kind(error: &RedisError) -> Option<io::ErrorKind> {
    let cause = error.source()?.downcast_ref::<Arc<dyn StdError + Send + Sync>>()?;
    Some(cause.downcast_ref::<io::Error>()?.kind())
}
