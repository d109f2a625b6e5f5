//! The service that the layer makes.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

use crate::body::LimitedBody;
use crate::future::ResponseFuture;
use crate::layer::Settings;

/// Lets a request to the inner service when it has a permit; made by
/// [`ConcurrencyLimitLayer`](crate::ConcurrencyLimitLayer).
///
/// It is ready when the inner service is; requests wait for their permits in their futures, so that those of one key do
/// not stop those of another. An inner service that reserves something when it becomes ready keeps it reserved
/// meanwhile: such layers belong outside of this one.
#[derive(Debug, Clone)]
pub struct ConcurrencyLimit<S> {
    inner: S,
    settings: Arc<Settings>,
}

impl<S> ConcurrencyLimit<S> {
    pub(crate) fn new(inner: S, settings: Arc<Settings>) -> Self {
        Self { inner, settings }
    }
}

impl<S, ReqBody, ResBody> Service<Request<ReqBody>> for ConcurrencyLimit<S>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>> + Clone,
    ResBody: Body,
{
    type Response = Response<LimitedBody<ResBody>>;
    type Error = S::Error;
    type Future = ResponseFuture<S, ReqBody>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<ReqBody>) -> Self::Future {
        let (head, body) = request.into_parts();
        let key = (self.settings.key)(&head);
        let request = Request::from_parts(head, body);
        let settings = Arc::clone(&self.settings);
        match key {
            None => ResponseFuture::unlimited(self.inner.call(request), settings),
            Some(key) => {
                // The one that was polled ready goes with the request; a clone of it need not be ready.
                let clone = self.inner.clone();
                let ready = mem::replace(&mut self.inner, clone);
                ResponseFuture::limited(settings.door.enter(key), ready, request, settings)
            }
        }
    }
}
