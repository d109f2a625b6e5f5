//! The exit codes of this program's own; those of a child are passed on unchanged.

use semafence::{Error, Failure as BackendFailure};

/// What was to be shown does not hold.
pub(crate) const CHECKS_FAILED: u8 = 1;
/// The command line makes no sense.
pub(crate) const USAGE: u8 = 64;
/// The server cannot be reached.
pub(crate) const UNAVAILABLE: u8 = 69;
/// Something that should not happen.
pub(crate) const INTERNAL: u8 = 70;
/// No permit was had in time.
pub(crate) const NOT_ACQUIRED: u8 = 75;
/// The server does not let this user.
pub(crate) const NO_PERMISSION: u8 = 77;
/// A setting is missing or wrong.
pub(crate) const CONFIG: u8 = 78;
/// The lease was lost and the child stopped.
pub(crate) const LOST: u8 = 79;
/// The command was found and cannot be executed.
pub(crate) const CANNOT_EXECUTE: u8 = 126;
/// The command was not found.
pub(crate) const NOT_FOUND: u8 = 127;

/// Nobody reads the answer: what SIGPIPE would give.
pub(crate) const BROKEN_PIPE: u8 = 141;

/// The code of a process that a signal ended, as shells count.
pub(crate) fn of_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(u8::MAX)
}

/// The code that an error of the library asks for.
pub(crate) fn of_error(error: &Error) -> u8 {
    match error {
        Error::Backend { source, .. } => match source.failure() {
            BackendFailure::Refused => NO_PERMISSION,
            BackendFailure::Transient => UNAVAILABLE,
            BackendFailure::Permanent => INTERNAL,
        },
        Error::Config { .. } => CONFIG,
        Error::Lost { .. } => LOST,
        Error::Unacknowledged { .. } => UNAVAILABLE,
        Error::QueueFull { .. } | Error::Removed { .. } | Error::TimedOut { .. } => NOT_ACQUIRED,
        _ => INTERNAL,
    }
}
