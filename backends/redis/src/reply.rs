//! From redis-rs' values to the core's replies.

use std::borrow::Cow;

use redis::{ServerErrorKind, Value};
use semafence::script::Reply;
use semafence::{BackendError, Failure, Outcome};

use crate::failure;

/// Frees a value of the driver's types; an error reply is an error.
pub(crate) fn read(value: Value) -> Result<Reply, BackendError> {
    match value {
        Value::Array(items) => items.into_iter().map(read).collect::<Result<_, _>>().map(Reply::Array),
        Value::BulkString(bytes) => Ok(Reply::Bytes(bytes)),
        Value::Int(number) => Ok(Reply::Int(number)),
        Value::Nil => Ok(Reply::Nil),
        Value::Okay => Ok(Reply::Bytes(b"OK".to_vec())),
        Value::ServerError(error) => Err(failure::replied(&error)),
        Value::SimpleString(text) => Ok(Reply::Bytes(text.into_bytes())),
        _ => Err(BackendError::new(
            Failure::Permanent,
            Outcome::Unknown,
            "a reply of a type that no script returns",
        )),
    }
}

/// The text of an answer to `INFO`.
pub(crate) fn info(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::BulkString(text) => Some(String::from_utf8_lossy(text)),
        Value::VerbatimString { text, .. } => Some(Cow::Borrowed(text)),
        _ => None,
    }
}

/// Whether the server has forgotten the script, and so has run nothing.
pub(crate) fn is_noscript(value: &Value) -> bool {
    matches!(value, Value::ServerError(error) if error.kind() == Some(ServerErrorKind::NoScript))
}

/// Whether the server says that it is the wrong one: a replica, or a replica without its master.
pub(crate) fn is_misplaced(value: &Value) -> bool {
    let Value::ServerError(error) = value else { return false };
    ["READONLY", "MASTERDOWN"].iter().any(|code| {
        // Before 7.0 an error inside a script arrives wrapped: `ERR Error running script … -READONLY …`.
        error.code() == *code
            || error
                .details()
                .is_some_and(|detail| detail.contains(&format!("-{code} ")))
    })
}
