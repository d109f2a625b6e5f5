//! A model that answers in no time to speak of, in one piece or as a stream, and counts who calls.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use futures::stream;
use serde::Deserialize;
use serde_json::json;
use tokio::time::sleep;

const WORDS: [&str; 5] = ["At", " most", " five", " at", " once."];

/// A mock model: how long it thinks, and who is inside.
#[derive(Debug, Clone)]
pub struct Mock {
    thinks: Duration,
    inside: Arc<Mutex<BTreeMap<(String, String), Inside>>>,
}

/// Calls of one client to one model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Inside {
    /// At this moment.
    pub now: u32,
    /// The most there have been at once.
    pub most: u32,
    /// In all.
    pub total: u32,
}

#[derive(Deserialize)]
struct Call {
    model: String,
    #[serde(default)]
    stream: bool,
}

impl Mock {
    /// A model that takes so long for an answer.
    #[must_use]
    pub fn new(thinks: Duration) -> Self {
        Self {
            thinks,
            inside: Arc::default(),
        }
    }

    /// The model as a service.
    pub fn router(&self) -> Router {
        let model = self.clone();
        Router::new()
            .route("/v1/chat/completions", post(complete))
            .with_state(model)
    }

    /// Who has called, by client and model.
    #[must_use]
    pub fn inside(&self) -> BTreeMap<(String, String), Inside> {
        self.lock().clone()
    }

    fn enter(&self, client: &str, model: &str) -> Visit {
        let pair = (client.to_owned(), model.to_owned());
        let mut counts = self.lock();
        let inside = counts.entry(pair.clone()).or_default();
        inside.now += 1;
        inside.total += 1;
        inside.most = inside.most.max(inside.now);
        Visit {
            mock: self.clone(),
            pair,
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), Inside>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that is inside until this is dropped.
struct Visit {
    mock: Mock,
    pair: (String, String),
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Some(inside) = self.mock.lock().get_mut(&self.pair) {
            inside.now -= 1;
        }
    }
}

async fn complete(State(mock): State<Mock>, headers: HeaderMap, Json(call): Json<Call>) -> Response {
    let client = headers.get("x-client-id").and_then(|id| id.to_str().ok());
    let visit = mock.enter(client.unwrap_or("anonymous"), &call.model);
    if call.stream {
        return streamed(visit);
    }
    sleep(visit.mock.thinks).await;
    let message = json!({"role": "assistant", "content": WORDS.concat()});
    Json(json!({"model": call.model, "choices": [{"message": message}]})).into_response()
}

fn streamed(visit: Visit) -> Response {
    let pause = visit.mock.thinks / WORDS.len() as u32;
    let words = WORDS.map(|word| json!({"choices": [{"delta": {"content": word}}]}).to_string());
    let events = words.into_iter().chain(["[DONE]".to_owned()]);
    let stream = stream::unfold((visit, events), move |(visit, mut events)| async move {
        let event = events.next()?;
        sleep(pause).await;
        Some((Ok::<_, Infallible>(format!("data: {event}\n\n")), (visit, events)))
    });
    ([(CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream)).into_response()
}
