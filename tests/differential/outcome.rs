//! Replies of both servers in one form, and when they are the same.

use semafence::BackendError;
use semafence::script::Reply;
use xtask::Flavor;

use crate::quirks::{Numbers, handler_failed, plain_error, same_number};

/// A reply or the text of an error.
pub(crate) type Outcome = Result<Reply, String>;

/// As drivers hand replies on: a status is text, and an error anywhere in a reply is its error.
pub(crate) fn of_server(reply: xtask::Reply) -> Outcome {
    Ok(match reply {
        xtask::Reply::Array(items) => Reply::Array(items.into_iter().map(of_server).collect::<Result<_, _>>()?),
        xtask::Reply::Bulk(bytes) => Reply::Bytes(bytes),
        xtask::Reply::Error(text) => return Err(text),
        xtask::Reply::Int(number) => Reply::Int(number),
        xtask::Reply::Nil => Reply::Nil,
        xtask::Reply::Simple(text) => Reply::Bytes(text.into_bytes()),
    })
}

/// Whether a client would see the same. The simulator takes after Redis 7.0, so from that one it may not differ in
/// any letter; of errors of the others only the code counts, and what the client makes of it.
pub(crate) fn same(flavor: Flavor, numbers: Numbers, real: &Outcome, simulated: &Outcome) -> bool {
    match (real, simulated) {
        (Ok(real), Ok(simulated)) => same_reply(flavor, numbers, real, simulated),
        (Err(real), Err(simulated)) => same_error(flavor, real, simulated),
        _ => false,
    }
}

fn same_reply(flavor: Flavor, numbers: Numbers, real: &Reply, simulated: &Reply) -> bool {
    match (real, simulated) {
        (Reply::Array(real), Reply::Array(simulated)) => {
            let mut pairs = real.iter().zip(simulated);
            real.len() == simulated.len() && pairs.all(|(real, simulated)| same_reply(flavor, numbers, real, simulated))
        }
        (Reply::Bytes(real), Reply::Bytes(simulated)) => same_text(flavor, numbers, real, simulated),
        _ => real == simulated,
    }
}

/// Scripts of the generators hand errors that they caught on as text, after this word.
const CAUGHT: &[u8] = b"error ";

fn same_text(flavor: Flavor, numbers: Numbers, real: &[u8], simulated: &[u8]) -> bool {
    let caught = |text: &[u8]| Some(String::from_utf8_lossy(text.strip_prefix(CAUGHT)?).into_owned());
    match (caught(real), caught(simulated)) {
        (Some(real), Some(simulated)) => same_error(flavor, &real, &simulated),
        _ => real == simulated || same_number(flavor, numbers, real, simulated),
    }
}

fn same_error(flavor: Flavor, real: &str, simulated: &str) -> bool {
    if flavor == Flavor::Redis70 {
        return real == simulated;
    }
    if handler_failed(flavor, real) {
        return true;
    }
    code(real) == code(simulated) && read(real).failure() == read(simulated).failure()
}

/// The first word, if it is a code.
fn code(error: &str) -> &str {
    let error = plain_error(error);
    let word = error.split(' ').next().unwrap_or_default();
    let is_code = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_uppercase());
    if is_code { word } else { "ERR" }
}

fn read(error: &str) -> BackendError {
    let (code, detail) = error.split_once(' ').unwrap_or((error, ""));
    BackendError::from_reply(code, detail)
}

/// For a report.
pub(crate) fn show(outcome: &Outcome) -> String {
    match outcome {
        Ok(reply) => show_reply(reply),
        Err(error) => format!("error {error}"),
    }
}

fn show_reply(reply: &Reply) -> String {
    match reply {
        Reply::Array(items) => format!("[{}]", items.iter().map(show_reply).collect::<Vec<_>>().join(", ")),
        Reply::Bytes(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        Reply::Int(number) => number.to_string(),
        Reply::Nil => "nil".to_owned(),
    }
}
