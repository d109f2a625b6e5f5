//! Forwards calls.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CONNECTION, HOST, HeaderName, TE, TRAILER, TRANSFER_ENCODING, UPGRADE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::call::Pair;
use crate::failure::Failure;
use crate::overrides::Overrides;

/// What concerns one connection and not the next; see RFC 9110, 7.6.1.
const HOP_BY_HOP: [HeaderName; 7] = [
    CONNECTION,
    HOST,
    HeaderName::from_static("keep-alive"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

const UNREACHABLE: Failure = Failure {
    status: StatusCode::BAD_GATEWAY,
    code: "upstream_unavailable",
    message: "the model is not reached",
};

/// Where calls go. Over plain HTTP, as inside of a cluster; for HTTPS give the client another connector.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    http: Client<HttpConnector, Body>,
    address: Arc<str>,
    overrides: Arc<Overrides>,
}

impl Upstream {
    pub(crate) fn new(address: String, overrides: Arc<Overrides>) -> Self {
        Self {
            http: Client::builder(TokioExecutor::new()).build_http(),
            address: address.into(),
            overrides,
        }
    }

    fn uri(&self, request: &Request) -> Result<Uri, Failure> {
        let special = request
            .extensions()
            .get::<Pair>()
            .and_then(|pair| self.overrides.of(pair));
        let address = special.and_then(|special| special.upstream.as_deref());
        let address = address.unwrap_or(&self.address).trim_end_matches('/');
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        format!("{address}{path}").parse().map_err(|_| UNREACHABLE)
    }
}

/// Sends the call on, and streams back what comes. If the caller goes away the answer is dropped, and with it the call.
pub(crate) async fn forward(State(upstream): State<Upstream>, mut request: Request) -> Response {
    match upstream.uri(&request) {
        Ok(uri) => *request.uri_mut() = uri,
        Err(failure) => return failure.into_response(),
    }
    remove_hop_by_hop(request.headers_mut());
    match upstream.http.request(request).await {
        Ok(mut response) => {
            remove_hop_by_hop(response.headers_mut());
            response.map(Body::new)
        }
        Err(_) => UNREACHABLE.into_response(),
    }
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
