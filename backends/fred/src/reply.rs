//! From fred's frames to the core's replies.

use fred::types::Resp3Frame;
use semafence::script::Reply;
use semafence::{BackendError, Failure, Outcome};

use crate::failure;

/// Frees a frame of the driver's types; an error reply is an error.
pub(crate) fn read(frame: Resp3Frame) -> Result<Reply, BackendError> {
    match frame {
        Resp3Frame::Array { data, .. } => data.into_iter().map(read).collect::<Result<_, _>>().map(Reply::Array),
        Resp3Frame::BlobString { data, .. } | Resp3Frame::SimpleString { data, .. } => Ok(Reply::Bytes(data.to_vec())),
        Resp3Frame::Number { data, .. } => Ok(Reply::Int(data)),
        Resp3Frame::Null => Ok(Reply::Nil),
        Resp3Frame::SimpleError { data, .. } => Err(failure::replied(&data)),
        _ => Err(BackendError::new(
            Failure::Permanent,
            Outcome::Unknown,
            "a reply of a type that no script returns",
        )),
    }
}

/// The text of an answer to `INFO`.
pub(crate) fn info(frame: &Resp3Frame) -> Option<&str> {
    match frame {
        Resp3Frame::BlobString { data, .. } | Resp3Frame::VerbatimString { data, .. } => std::str::from_utf8(data).ok(),
        _ => None,
    }
}

/// Whether the server has forgotten the script, and so has run nothing.
pub(crate) fn is_noscript(frame: &Resp3Frame) -> bool {
    error(frame).is_some_and(|text| text.starts_with("NOSCRIPT"))
}

/// Whether the server says that it is the wrong one: a replica, or a replica without its master.
pub(crate) fn is_misplaced(frame: &Resp3Frame) -> bool {
    let Some(text) = error(frame) else { return false };
    ["READONLY", "MASTERDOWN"].iter().any(|code| {
        // Before 7.0 an error inside a script arrives wrapped: `ERR Error running script … -READONLY …`.
        text.starts_with(code) || text.contains(&format!("-{code} "))
    })
}

/// The text of an error reply.
pub(crate) fn error(frame: &Resp3Frame) -> Option<&str> {
    match frame {
        Resp3Frame::SimpleError { data, .. } => Some(data),
        _ => None,
    }
}
