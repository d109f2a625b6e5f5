//! Why the program gives up: an exit code, a sentence, and what to do about it.

use std::{fmt, io};

use semafence::Error;

use crate::exit;

/// The end of the program, told to the user once, in `main`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) exit: u8,
    /// What happened.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
}

impl Failure {
    pub(crate) fn new(exit: u8, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
        }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(exit::USAGE, message)
    }

    pub(crate) fn config(message: impl Into<String>) -> Self {
        Self::new(exit::CONFIG, message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(exit::INTERNAL, message)
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self {
            hint: Some(hint.into()),
            ..self
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let failure = Self::new(exit::of_error(&error), error.to_string());
        match failure.exit {
            exit::UNAVAILABLE if matches!(error, Error::Unacknowledged { .. }) => {
                failure.hint("are the replicas there, and do they keep up? --acks says how many must")
            }
            exit::UNAVAILABLE => {
                failure.hint("is the server running, and is the address right, also about TLS (rediss://)?")
            }
            exit::NO_PERMISSION => failure.hint("check user, password and the rights of that user (ACL)"),
            _ => failure,
        }
    }
}

impl From<io::Error> for Failure {
    /// From writing the answer.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(exit::BROKEN_PIPE, "nobody reads the answer"),
            _ => Self::internal(format!("cannot write the answer: {error}")),
        }
    }
}
