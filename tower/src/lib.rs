//! A distributed concurrency limit as a [tower](https://docs.rs/tower) layer: at most so many requests at once for each
//! client, model or route, over all processes that share a Redis or Valkey server.
//!
//! A request gets a permit of the semaphore that its [`Key`] names, or waits for one in a fair queue, or is answered
//! with 429 and `Retry-After`. The permit is held until the response body has ended or the client has gone away, so a
//! stream counts for as long as it streams.
//!
//! # Examples
//!
//! At most five requests at once for each client, with axum. Requests without the header are not limited:
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use axum::Router;
//! use axum::routing::get;
//! use semafence_tower::ConcurrencyLimitLayer;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = semafence_redis::connect("redis://127.0.0.1/").await?;
//! let limit = ConcurrencyLimitLayer::builder(&client, 5, |head| {
//!     let id = head.headers.get("x-client-id")?.to_str().ok()?;
//!     Some(id.to_owned())
//! });
//! let limit = limit.wait(Duration::from_secs(30)).build()?;
//!
//! let app = Router::new().route("/", get(async || "hello")).layer(limit);
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
//! axum::serve(listener, app).with_graceful_shutdown(interrupted()).await?;
//! client.close().await; // Without these two, permits of requests in flight would be taken for one ttl more.
//! # Ok(())
//! # }
//!
//! async fn interrupted() {
//!     let _without_signals_it_ends_by_force = tokio::signal::ctrl_c().await; // And SIGTERM, in production.
//! }
//! ```
//!
//! A limit for each client and route, larger for some, without waiting; on the simulator, so it needs no server:
//!
//! ```
//! use axum::Router;
//! use axum::body::Body;
//! use axum::extract::MatchedPath;
//! use axum::http::Request;
//! use axum::routing::get;
//! use semafence_tower::{ConcurrencyLimitLayer, Key};
//! use tower::ServiceExt;
//!
//! # fn main() -> Result<(), semafence::Error> {
//! semafence_sim::run(1, |sim| async move {
//!     let limit = ConcurrencyLimitLayer::builder(&sim.client(), 1, |head| {
//!         let client = head.headers.get("x-client-id")?.to_str().ok()?;
//!         let route = head.extensions.get::<MatchedPath>()?.as_str();
//!         let key = Key::join([client, route]);
//!         Some(if client == "gold" { key.limit(20) } else { key })
//!     });
//!     // `route_layer` runs where the route is known; `layer` before that.
//!     let app = Router::new()
//!         .route("/users/{id}", get(async || "a user"))
//!         .route_layer(limit.shed().build()?);
//!
//!     let send = |client: &str| {
//!         let request = Request::get("/users/7").header("x-client-id", client);
//!         app.clone().oneshot(request.body(Body::empty()).expect("a valid request"))
//!     };
//!     let first = send("bronze").await.expect("a router has no errors");
//!     let second = send("bronze").await.expect("a router has no errors");
//!     assert_eq!(first.status(), 200);
//!     assert_eq!(second.status(), 429, "the first body has not been read yet");
//!     assert_eq!(second.headers()["retry-after"], "1");
//!     assert_eq!(send("gold").await.expect("a router has no errors").status(), 200);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # What to know of it
//!
//! - **Rejections are responses**, by the [table of `Rejection`](Rejection), so axum needs no `HandleErrorLayer`. Errors
//!   of the inner service pass as they are.
//! - **When the backend is down** a request is answered with 503 at once;
//!   [`OnOutage::Admit`] lets it in instead. One that is queued already waits on, for the time that
//!   [`wait`](ConcurrencyLimitBuilder::wait) gives it, and is served when the backend comes back in time.
//! - **When a lease is lost** while a request is served (the backend was away for a ttl, or an operator took the permit)
//!   it is stopped, as another may be inside by then; [`OnLoss::GoOn`] lets it finish. A handler finds its fencing token
//!   as [`Admitted`] in the request's extensions.
//! - **A key is a semaphore** of the client's namespace, so `semafence status` and `Client::status` show who is inside and
//!   who waits. With the feature `metrics` of the core each key is also the label of its series: where strangers choose
//!   keys, let the exporter forget idle series.
//! - **Whoever chooses the key chooses the limit**: take it from what was authenticated, not from a header that anybody
//!   may set.
//! - **A wait outlasts the client's patience** unless it is shorter. A client that goes away while it waits is noticed by
//!   the server, which drops the future; its place in the queue is gone then.
//! - A permit costs two round trips a request, and one more where it has to wait.
//! - A response that upgrades its connection has an empty body: the permit does not cover what follows.

#![forbid(unsafe_code)]

mod body;
mod door;
mod future;
mod key;
mod layer;
mod recent;
mod rejection;
mod service;
mod tenure;

pub use body::{BoxError, LimitedBody};
pub use future::ResponseFuture;
pub use key::Key;
pub use layer::{ConcurrencyLimitBuilder, ConcurrencyLimitLayer, OnOutage};
pub use rejection::Rejection;
pub use service::ConcurrencyLimit;
pub use tenure::{Admitted, OnLoss};
