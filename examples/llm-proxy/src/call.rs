//! Which client calls which model.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::failure::Failure;

/// Prompts may be long, but not endless.
const BODY_BYTES_MAX: usize = 10 << 20;

/// Who calls without a name shares one limit with all who do.
const NOBODY: &str = "anonymous";

/// A client and a model, found once and used by everything that asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pair {
    pub(crate) client: String,
    pub(crate) model: String,
}

#[derive(Deserialize)]
struct Call {
    model: String,
}

/// Reads the body of a call, which names the model, and leaves the [`Pair`] among the extensions for those behind.
pub(crate) async fn read_call(request: Request, next: Next) -> Response {
    match with_pair(request).await {
        Ok(request) => next.run(request).await,
        Err(failure) => failure.into_response(),
    }
}

async fn with_pair(request: Request) -> Result<Request, Failure> {
    if request.method() != "POST" {
        return Ok(request);
    }
    let (mut head, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|_| TOO_LONG)?;
    let call: Call = serde_json::from_slice(&body).map_err(|_| NO_MODEL)?;
    let client = head.headers.get("x-client-id").and_then(|id| id.to_str().ok());
    head.extensions.insert(Pair {
        client: client.unwrap_or(NOBODY).to_owned(),
        model: call.model,
    });
    Ok(Request::from_parts(head, Body::from(body)))
}

const TOO_LONG: Failure = Failure {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    code: "too_long",
    message: "the body is longer than 10 MiB, or broke off",
};

const NO_MODEL: Failure = Failure {
    status: StatusCode::BAD_REQUEST,
    code: "no_model",
    message: "the body is no JSON object with a model",
};
