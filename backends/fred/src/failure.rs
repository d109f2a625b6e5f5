//! What fred's errors ask of the caller.

use std::time::Duration;

use fred::error::{Error, ErrorKind};
use semafence::{BackendError, Failure, Outcome};

/// The server answered with an error.
pub(crate) fn replied(text: &str) -> BackendError {
    let (code, detail) = text.split_once(' ').unwrap_or((text, ""));
    BackendError::from_reply(code, detail)
}

/// Whether the command was never written: fred drops what it has queued when its connection ends.
pub(crate) fn is_unsent(error: &Error) -> bool {
    error.is_canceled()
}

/// A request was sent, or may have been, and got no answer.
pub(crate) fn unanswered(error: &Error, address: &str, limit: Duration) -> BackendError {
    let failure = match error.kind() {
        ErrorKind::Timeout => return BackendError::timed_out(limit),
        // Not `details`: fred gives every request under way the error of the one that it took for a reason to hang up.
        ErrorKind::Parse | ErrorKind::Protocol => Failure::Permanent,
        _ => Failure::Transient,
    };
    let text = format!("the connection to {address} failed before the answer: {}", plain(error));
    BackendError::new(failure, Outcome::Unknown, text)
}

/// A connection was lost again and again before anything could be sent.
pub(crate) fn unsent(address: &str) -> BackendError {
    let text = format!("the connection to {address} was lost before anything was sent");
    BackendError::new(Failure::Transient, Outcome::NotApplied, text)
}

/// No connection could be made, so nothing was sent.
pub(crate) fn unconnected(error: &Error, address: &str, secrets: &[String]) -> BackendError {
    let said = scrub(&plain(error), secrets);
    let text = format!("cannot connect to {address}: {said}");
    BackendError::new(connect_failure(error, &said), Outcome::NotApplied, text)
}

/// The server answered with an error while the connection was being made, so nothing was sent.
pub(crate) fn rejected(error: &BackendError, address: &str) -> BackendError {
    let text = format!("cannot connect to {address}: {error}{}", hint(&error.to_string()));
    BackendError::new(error.failure(), Outcome::NotApplied, text)
}

/// What a server that has no such database does not say.
fn hint(said: &str) -> &'static str {
    if said.contains("DB index is out of range") {
        "; databases are numbered from 0, and the server's setting `databases`, 16 by default, says how many there are"
    } else {
        ""
    }
}

/// There was no connection in time, so nothing was sent; with what stood in the way, where that is known.
pub(crate) fn late(address: &str, within: Duration, trouble: Option<&BackendError>) -> BackendError {
    let why = trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default();
    let text = format!("cannot connect to {address} within {within:?}{why}");
    BackendError::new(Failure::Transient, Outcome::NotApplied, text)
}

/// The runtime that was connecting has ended, so nothing was sent.
pub(crate) fn interrupted(address: &str) -> BackendError {
    let text = format!("cannot connect to {address}: the runtime that did it has ended");
    BackendError::new(Failure::Transient, Outcome::NotApplied, text)
}

/// The server that Sentinel names is no master, or not yet.
pub(crate) fn no_master(address: &str, role: &str) -> BackendError {
    let text = format!("cannot connect to {address}: it is no master but a {role}");
    BackendError::new(Failure::Transient, Outcome::NotApplied, text)
}

fn connect_failure(error: &Error, said: &str) -> Failure {
    match error.kind() {
        // A certificate that is not trusted, and TLS on one side only, are errors of the data, not of the moment.
        ErrorKind::IO if said.contains("InvalidData") => Failure::Permanent,
        ErrorKind::IO | ErrorKind::Timeout | ErrorKind::Canceled => Failure::Transient,
        ErrorKind::Auth => Failure::Refused,
        _ if said.contains("max number of clients") => Failure::Transient,
        _ => replied(said).failure(),
    }
}

/// What fred says, without its kind, and of an error of the operating system only the words.
fn plain(error: &Error) -> String {
    let details = error.details();
    let words = details
        .split_once("message: \"")
        .and_then(|(_, rest)| rest.split_once('"'));
    match words {
        Some((words, _)) if details.starts_with("Os {") => words.to_owned(),
        _ => details.to_owned(),
    }
}

/// A server that does not know a command quotes its arguments, and those of AUTH are the login.
fn scrub(text: &str, secrets: &[String]) -> String {
    let (text, _) = text.split_once(", with args beginning with").unwrap_or((text, ""));
    secrets
        .iter()
        .fold(text.to_owned(), |text, secret| text.replace(secret.as_str(), "***"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_system_is_told_in_its_words() {
        let refused = std::io::Error::from_raw_os_error(111);

        let told = unconnected(&Error::from(refused), "127.0.0.1:1", &[]).to_string();

        assert_eq!(told, "cannot connect to 127.0.0.1:1: Connection refused");
    }

    #[test]
    fn a_login_that_is_quoted_is_not_repeated() {
        let quoted = "ERR unknown command 'AUTH', with args beginning with: 'swordfish'";
        let elsewhere = "ERR no swordfish here";
        let secrets = ["swordfish".to_owned()];

        for said in [quoted, elsewhere] {
            let error = unconnected(&Error::new(ErrorKind::Unknown, said), "a:1", &secrets);
            assert!(!format!("{error} {error:?}").contains("swordfish"), "{error}");
        }
    }
}
