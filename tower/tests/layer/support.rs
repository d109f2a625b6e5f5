//! What the tests share: requests, a service whose bodies the test writes, and a look at who is inside.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Empty};
use semafence_sim::{Client, SimBackend, SimClock};
use semafence_tower::{BoxError, ConcurrencyLimitBuilder, ConcurrencyLimitLayer, LimitedBody};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tower::{Layer, Service, ServiceExt, service_fn};

pub(crate) type Written = Channel<Bytes, BoxError>;
pub(crate) type Writer = Sender<Bytes, BoxError>;
pub(crate) type Answer = Response<LimitedBody<Written>>;

/// A layer with a limit for each `x-client-id`.
pub(crate) fn limit(client: &Client, limit: u32) -> ConcurrencyLimitBuilder<SimBackend, SimClock> {
    ConcurrencyLimitLayer::builder(client, limit, |head| {
        let id = head.headers.get("x-client-id")?;
        Some(id.to_str().expect("visible text").to_owned())
    })
}

/// A request of this client.
pub(crate) fn request(client: &str) -> Request<Empty<Bytes>> {
    let request = Request::builder().header("x-client-id", client);
    request.body(Empty::new()).expect("a valid request")
}

/// A request of nobody.
pub(crate) fn anonymous() -> Request<Empty<Bytes>> {
    Request::new(Empty::new())
}

/// A service behind a layer, and the writers of the bodies that it has begun, in order.
pub(crate) struct App {
    layer: ConcurrencyLimitLayer,
    begin: mpsc::UnboundedSender<Writer>,
    pub(crate) writers: mpsc::UnboundedReceiver<Writer>,
}

impl App {
    pub(crate) fn new(layer: ConcurrencyLimitLayer) -> Self {
        let (begin, writers) = mpsc::unbounded_channel();
        Self { layer, begin, writers }
    }

    /// A clone of the service, as a server makes one for each connection.
    pub(crate) fn service(
        &self,
    ) -> impl Service<Request<Empty<Bytes>>, Response = Answer, Error = BoxError, Future: Send + 'static> + Clone + 'static
    {
        let begin = self.begin.clone();
        self.layer.layer(service_fn(move |_request| {
            let (writer, body) = Channel::new(8);
            let begun = begin.send(writer);
            async move {
                begun?;
                Ok(Response::new(body))
            }
        }))
    }

    /// Sends a request and waits for the head of its response.
    pub(crate) async fn send(&self, request: Request<Empty<Bytes>>) -> Answer {
        self.service()
            .oneshot(request)
            .await
            .expect("the service has no errors")
    }

    /// Sends a request in a task.
    pub(crate) fn spawn(&self, request: Request<Empty<Bytes>>) -> JoinHandle<Answer> {
        let sending = self.service().oneshot(request);
        tokio::spawn(async { sending.await.expect("the service has no errors") })
    }
}

/// What a rejection says.
pub(crate) struct Said {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: String,
}

impl Said {
    /// Reads a response to its end.
    pub(crate) async fn of(answer: Answer) -> Self {
        let (head, body) = answer.into_parts();
        let text = |name: &str| Some(head.headers.get(name)?.to_str().expect("text").to_owned());
        assert_eq!(text("content-type").as_deref(), Some("application/json"));
        let body = body.collect().await.expect("a whole body").to_bytes();
        Self {
            status: head.status.as_u16(),
            retry_after: text("retry-after"),
            body: String::from_utf8(body.into()).expect("text"),
        }
    }
}

/// How many hold and wait, once everything that is on its way has arrived.
pub(crate) async fn inside(client: &Client, key: &str) -> (u64, u64) {
    tokio::time::sleep(Duration::from_millis(100)).await;
    let status = client.status(key).await.expect("the server is up");
    (status.holders_total, status.waiters_total)
}
