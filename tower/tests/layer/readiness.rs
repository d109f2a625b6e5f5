//! Readiness: the service that was polled ready is the one that is called.

use std::convert::Infallible;
use std::future::{Future, Ready, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Empty;
use semafence_tower::{ConcurrencyLimit, ConcurrencyLimitLayer, LimitedBody, ResponseFuture};
use tower::{Layer, Service};

use crate::support::{anonymous, limit, request};

/// Panics when it is called before it was polled ready, as a service may; a clone has not been polled.
#[derive(Debug, Default)]
struct Strict {
    is_ready: bool,
    is_open: Arc<AtomicBool>,
}

impl Clone for Strict {
    fn clone(&self) -> Self {
        Self {
            is_ready: false,
            is_open: Arc::clone(&self.is_open),
        }
    }
}

impl Service<Request<Empty<Bytes>>> for Strict {
    type Response = Response<Empty<Bytes>>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.is_ready = self.is_open.load(Ordering::Relaxed);
        if self.is_ready {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }

    fn call(&mut self, _request: Request<Empty<Bytes>>) -> Self::Future {
        assert!(self.is_ready, "called before it was ready");
        self.is_ready = false;
        ready(Ok(Response::new(Empty::new())))
    }
}

#[test]
fn the_service_that_was_polled_ready_is_called_also_after_a_wait() {
    semafence_sim::run(1, |sim| async move {
        let client = sim.client();
        let strict = Strict::default();
        strict.is_open.store(true, Ordering::Relaxed);
        let mut app = limit(&client, 1).build().unwrap().layer(strict);
        let taken = client.semaphore("a", 1).build().unwrap().acquire_owned().await.unwrap();

        poll_fn(|cx| app.poll_ready(cx)).await.unwrap();
        let waiting = tokio::spawn(app.call(request("a")));
        poll_fn(|cx| app.poll_ready(cx)).await.unwrap();
        let unlimited = app.call(anonymous()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        drop(taken);

        assert_eq!(unlimited.status(), 200);
        assert_eq!(waiting.await.unwrap().unwrap().status(), 200);
    });
}

#[test]
fn it_is_ready_when_the_inner_service_is_whoever_waits() {
    semafence_sim::run(2, |sim| async move {
        let client = sim.client();
        let strict = Strict::default();
        let is_open = Arc::clone(&strict.is_open);
        let mut app = limit(&client, 1).build().unwrap().layer(strict);
        let _taken = client.semaphore("a", 1).build().unwrap().acquire_owned().await.unwrap();

        let readiness = |app: &mut ConcurrencyLimit<Strict>| {
            let mut cx = Context::from_waker(std::task::Waker::noop());
            app.poll_ready(&mut cx).is_ready()
        };

        assert!(!readiness(&mut app));
        is_open.store(true, Ordering::Relaxed);
        assert!(readiness(&mut app));
        let _waiting = tokio::spawn(app.call(request("a")));
        assert!(readiness(&mut app));
    });
}

#[test]
fn nothing_is_sent_before_the_future_is_polled() {
    semafence_sim::run(3, |sim| async move {
        let client = sim.client();
        let strict = Strict::default();
        strict.is_open.store(true, Ordering::Relaxed);
        let mut app = limit(&client, 1).build().unwrap().layer(strict);

        poll_fn(|cx| app.poll_ready(cx)).await.unwrap();
        drop(app.call(request("a")));

        assert_eq!(client.stats().total.acquires.total(), 0);
    });
}

#[test]
fn what_a_server_moves_between_threads_may_be_moved() {
    fn moves<T: Send + 'static>() {}
    fn shared<T: Send + Sync + Clone + 'static>() {}

    shared::<ConcurrencyLimitLayer>();
    shared::<ConcurrencyLimit<Strict>>();
    moves::<ResponseFuture<Strict, Empty<Bytes>>>();
    moves::<LimitedBody<Empty<Bytes>>>();
    fn syncs<T: Sync>() {}
    syncs::<LimitedBody<Empty<Bytes>>>();
    fn is_a_future<T: Future>() {}
    is_a_future::<ResponseFuture<Strict, Empty<Bytes>>>();
}
