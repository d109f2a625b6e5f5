//! The proxy, put together.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::request::Parts;
use axum::middleware::from_fn;
use axum::routing::{any, get};
use metrics_exporter_prometheus::PrometheusHandle;
use semafence::{Client, Clock, Error, LockBackend};
use semafence_tower::{ConcurrencyLimitLayer, Key};

use crate::call::{Pair, read_call};
use crate::looks;
use crate::overrides::Overrides;
use crate::telemetry::count;
use crate::upstream::{Upstream, forward};

/// What a proxy is made of.
#[derive(Debug)]
pub struct Proxy<B, C> {
    /// Where permits come from.
    pub client: Client<B, C>,
    /// Where calls go that have no override, such as `http://127.0.0.1:9000`.
    pub upstream: String,
    /// Calls in flight at once of a client and model without an override.
    pub limit: u32,
    /// What is different for some.
    pub overrides: Overrides,
    /// How long a call waits for its turn.
    pub wait: Duration,
    /// What `/metrics` shows.
    pub metrics: PrometheusHandle,
}

impl<B: LockBackend, C: Clock> Proxy<B, C> {
    /// The proxy as a service.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] when the limit is out of range.
    pub fn router(self) -> Result<Router, Error> {
        let overrides = Arc::new(self.overrides);
        let upstream = Upstream::new(self.upstream, Arc::clone(&overrides));
        let limit = ConcurrencyLimitLayer::builder(&self.client, self.limit, move |head| key(head, &overrides));
        let limit = limit.wait(self.wait).build()?;
        // The layer that is added last comes first.
        let calls = Router::new()
            .route("/v1/{*path}", any(forward))
            .with_state(upstream)
            .route_layer(limit)
            .route_layer(from_fn(read_call))
            .route_layer(from_fn(count));
        let looks = Router::new()
            .route("/ready", get(looks::ready))
            .route("/semaphore/status", get(looks::status))
            .with_state(self.client);
        let metrics = self.metrics;
        Ok(Router::new()
            .merge(calls)
            .merge(looks)
            .route("/health", get(async || "alive"))
            .route("/metrics", get(async move || metrics.render())))
    }
}

/// Client and model together, by the same two words that overrides are found by. What calls no model is not limited.
fn key(head: &Parts, overrides: &Overrides) -> Option<Key> {
    let pair = head.extensions.get::<Pair>()?;
    let key = Key::join([&pair.client, &pair.model]);
    Some(match overrides.of(pair).and_then(|special| special.limit) {
        Some(limit) => key.limit(limit),
        None => key,
    })
}
