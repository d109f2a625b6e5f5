//! What the proxy itself has to say, in the form of the layer's rejections.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: &'static str,
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = json!({"error": {"code": self.code, "message": self.message}});
        (self.status, Json(error)).into_response()
    }
}
