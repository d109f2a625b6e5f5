//! Why a request is not served, and what it is answered.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use semafence::{Error, Name};

/// Why a request is not served.
///
/// | what | status | `Retry-After` | `code` in the body |
/// |---|---|---|---|
/// | [`Busy`](Self::Busy): all permits taken, and the layer does not wait | [`busy_status`], 429 by default | yes | `busy` |
/// | [`Error::TimedOut`]: none came free in time | [`busy_status`] | yes | `queue_timeout` |
/// | [`Error::QueueFull`]: too many wait | [`busy_status`] | yes | `queue_full` |
/// | [`Error::Backend`]: the backend failed or was not reached | 503 | if it may pass | `backend_unavailable` |
/// | [`Error::Unacknowledged`]: too few replicas have the grant | 503 | yes | `backend_unavailable` |
/// | [`Error::Closed`]: the client is closed, this process ends | 503 | yes | `closed` |
/// | [`Error::Lost`]: the lease ended before there was a response | 503 | yes | `lease_lost` |
/// | [`Error::Removed`]: an operator ended the wait | 503 | no | `removed` |
/// | [`Error::Config`] with field `name`: the key is empty or longer than 200 bytes | 400 | no | `bad_key` |
/// | any other [`Error::Config`]: limit or permits out of range | 500 | no | `misconfigured` |
///
/// The body is `{"error":{"code":"…","message":"…"}}`; it says nothing about the backend. `Retry-After` is
/// [`retry_after`], 1 s by default. With [`OnOutage::Admit`](crate::OnOutage::Admit) the request is let in instead where
/// the table says `backend_unavailable`. [`rejection`] changes or replaces all of this.
///
/// [`busy_status`]: crate::ConcurrencyLimitBuilder::busy_status
/// [`rejection`]: crate::ConcurrencyLimitBuilder::rejection
/// [`retry_after`]: crate::ConcurrencyLimitBuilder::retry_after
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Rejection {
    /// All permits are taken, and the layer does not wait.
    Busy {
        /// The semaphore.
        name: Name,
    },
    /// There was no permit for another reason, or it was lost before there was a response.
    Failed(Error),
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy { name } => write!(f, "all permits of {name} are taken"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Rejection {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Busy { .. } => None,
            Self::Failed(error) => error.source(),
        }
    }
}

/// Changes or replaces the response that the table gives.
pub(crate) type Change = dyn Fn(&Rejection, Response<Bytes>) -> Response<Bytes> + Send + Sync;

/// How rejections become responses.
pub(crate) struct Responses {
    pub(crate) busy_status: StatusCode,
    pub(crate) retry_after: Duration,
    pub(crate) change: Option<Box<Change>>,
}

impl Responses {
    pub(crate) fn of(&self, rejection: &Rejection) -> Response<Bytes> {
        let response = self.response(&Line::of(rejection, self.busy_status));
        match &self.change {
            Some(change) => change(rejection, response),
            None => response,
        }
    }

    fn response(&self, line: &Line) -> Response<Bytes> {
        let (code, message) = (line.code, line.message);
        let body = format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#);
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = line.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if line.retry {
            let seconds = self.retry_after.as_millis().div_ceil(1000);
            headers.insert(RETRY_AFTER, u64::try_from(seconds).unwrap_or(u64::MAX).into());
        }
        response
    }
}

/// A line of the table.
struct Line {
    status: StatusCode,
    retry: bool,
    code: &'static str,
    message: &'static str,
}

impl Line {
    fn of(rejection: &Rejection, busy: StatusCode) -> Self {
        let unavailable = StatusCode::SERVICE_UNAVAILABLE;
        let (status, retry, code, message) = match rejection {
            Rejection::Busy { .. } => (busy, true, "busy", "too many requests at once"),
            Rejection::Failed(error) => match error {
                Error::TimedOut { .. } => (
                    busy,
                    true,
                    "queue_timeout",
                    "too many requests at once, none ended in time",
                ),
                Error::QueueFull { .. } => (busy, true, "queue_full", "too many requests wait already"),
                Error::Backend { .. } | Error::Unacknowledged { .. } => {
                    let retry = error.is_transient();
                    (unavailable, retry, "backend_unavailable", "the limit cannot be checked")
                }
                Error::Closed => (unavailable, true, "closed", "the service is shutting down"),
                Error::Lost { .. } => (
                    unavailable,
                    true,
                    "lease_lost",
                    "the permit was lost before the response",
                ),
                Error::Removed { .. } => (unavailable, false, "removed", "an operator ended the wait"),
                Error::Config { field: "name", .. } => {
                    let status = StatusCode::BAD_REQUEST;
                    (
                        status,
                        false,
                        "bad_key",
                        "what the request is limited by is empty or too long",
                    )
                }
                _ => {
                    let status = StatusCode::INTERNAL_SERVER_ERROR;
                    (status, false, "misconfigured", "the limit is configured wrongly")
                }
            },
        };
        Self {
            status,
            retry,
            code,
            message,
        }
    }
}

impl fmt::Debug for Responses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responses")
            .field("busy_status", &self.busy_status)
            .field("retry_after", &self.retry_after)
            .field("is_changed", &self.change.is_some())
            .finish()
    }
}
