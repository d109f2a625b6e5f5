//! Why a backend could not do it, and what that asks of the caller.

use std::error::Error as StdError;
use std::fmt::{self, Debug};
use std::sync::Arc;
use std::time::Duration;

/// Whether a verb that failed may have been applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It was certainly not applied.
    NotApplied,
    /// It may have been applied, or may still be.
    Unknown,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotApplied => "not applied",
            Self::Unknown => "outcome unknown",
        })
    }
}

/// What a failure asks of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// It will fail again until somebody changes the data or the program.
    Permanent,
    /// The backend does not let this caller: credentials or rights.
    Refused,
    /// It may work in a moment.
    Transient,
}

/// Why a backend could not do it, whether it may have been done, and whether trying again helps.
#[derive(Clone)]
pub struct BackendError {
    failure: Failure,
    outcome: Outcome,
    source: Arc<dyn StdError + Send + Sync>,
    /// An acquire is over with it.
    is_final: bool,
}

impl BackendError {
    /// An error of the given kind.
    pub fn new(failure: Failure, outcome: Outcome, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            failure,
            outcome,
            source: source.into().into(),
            is_final: false,
        }
    }

    /// No answer in time: transient, outcome unknown.
    #[must_use]
    pub fn timed_out(after: Duration) -> Self {
        Self::new(
            Failure::Transient,
            Outcome::Unknown,
            format!("no answer within {after:?}"),
        )
    }

    /// The error reply of a Redis or Valkey server, as it means it: `code` is its first word, `detail` the rest.
    ///
    /// A reply is an answer, so nothing was applied. An error inside a script keeps its own code from 7.0 on, except
    /// for missing rights; older servers wrap it in `ERR Error running script … -CODE`. Both are looked through.
    #[must_use]
    pub fn from_reply(code: &str, detail: &str) -> Self {
        // What a script's user may not do has the code ERR on every server.
        if NO_RIGHT_IN_SCRIPT.iter().any(|words| detail.contains(words)) {
            return Self::new(Failure::Refused, Outcome::NotApplied, format!("NOPERM {detail}"));
        }
        let inner = |detail: &str| detail.split([' ', '-', ':']).find_map(known_reply);
        let failure = match known_reply(code) {
            Some(failure) => failure,
            None if code == "ERR" && detail.contains("user_script") => inner(detail).unwrap_or(Failure::Permanent),
            None => Failure::Permanent,
        };
        Self::new(failure, Outcome::NotApplied, format!("{code} {detail}"))
    }

    /// What the failure asks of the caller.
    #[must_use]
    pub const fn failure(&self) -> Failure {
        self.failure
    }

    /// Whether it may have been applied.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether it may work in a moment.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.failure == Failure::Transient
    }

    /// The same for who does not want to wait: an acquire does not try again.
    pub(crate) fn into_final(self) -> Self {
        Self { is_final: true, ..self }
    }

    /// Whether an acquire is to try again.
    pub(crate) fn is_to_be_tried_again(&self) -> bool {
        self.is_transient() && !self.is_final
    }

    /// The same where something was applied before.
    pub(crate) fn into_unknown(self) -> Self {
        Self {
            outcome: Outcome::Unknown,
            ..self
        }
    }

    pub(crate) fn source_as<E: StdError + 'static>(&self) -> Option<&E> {
        self.source.downcast_ref()
    }
}

/// How servers since and before 7.2 say that a script's user lacks a right.
const NO_RIGHT_IN_SCRIPT: [&str; 2] = ["ACL failure in script", "The user executing the script can't"];

/// What the servers' own error codes ask of the caller.
fn known_reply(code: &str) -> Option<Failure> {
    match code {
        "DENIED" | "NOAUTH" | "NOPERM" | "WRONGPASS" => Some(Failure::Refused),
        "ASK" | "BUSY" | "CLUSTERDOWN" | "LOADING" | "MASTERDOWN" | "MISCONF" | "MOVED" | "NOREPLICAS" | "OOM"
        | "READONLY" | "TRYAGAIN" => Some(Failure::Transient),
        "CROSSSLOT" | "WRONGTYPE" => Some(Failure::Permanent),
        _ => None,
    }
}

impl Debug for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackendError")
            .field("failure", &self.failure)
            .field("outcome", &self.outcome)
            .field("source", &format_args!("{}", self.source))
            .finish()
    }
}

impl fmt::Display for BackendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.source, f)
    }
}

impl StdError for BackendError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.source()
    }
}
