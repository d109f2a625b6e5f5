//! Why no server was started.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

/// Why no server was started.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// It exited before it answered.
    Exited {
        /// The program.
        binary: PathBuf,
        /// How it ended.
        status: ExitStatus,
        /// The end of its log.
        log: String,
    },
    /// It could not be run at all.
    Io(io::Error),
    /// This machine has no such server.
    Missing(String),
    /// This machine or user may not have [network namespaces](crate::DeploymentBuilder::partitionable).
    NoNamespaces(io::Error),
    /// Something else listens on the port that was asked for, or has it in reserve.
    PortTaken(u16),
    /// It runs and does not answer.
    Silent {
        /// The program.
        binary: PathBuf,
        /// How long it was waited for.
        patience: Duration,
        /// The end of its log.
        log: String,
    },
    /// Everything runs, but the servers and sentinels of a deployment do not find each other.
    Unsettled {
        /// What was still missing.
        reason: String,
        /// How long it was waited for.
        patience: Duration,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited { binary, status, log } => {
                write!(f, "{} exited before it answered ({status}):\n{log}", binary.display())
            }
            Self::Io(error) => write!(f, "server could not be run: {error}"),
            Self::Missing(wanted) => write!(f, "no {wanted} found; run `cargo xtask setup`"),
            Self::NoNamespaces(error) => write!(
                f,
                "no network namespaces, which take Linux, root, `ip` and `unshare`: {error}"
            ),
            Self::PortTaken(port) => write!(f, "port {port} of 127.0.0.1 is taken"),
            Self::Silent { binary, patience, log } => {
                write!(f, "{} did not answer within {patience:?}:\n{log}", binary.display())
            }
            Self::Unsettled { reason, patience } => write!(f, "not settled within {patience:?}: {reason}"),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Io(error) | Self::NoNamespaces(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for StartError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}
