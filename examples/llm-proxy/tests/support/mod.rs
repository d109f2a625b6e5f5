//! A proxy, a mock model and a caller.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use metrics_exporter_prometheus::PrometheusHandle;
use semafence_llm_proxy::app::Proxy;
use semafence_llm_proxy::mock::Mock;
use semafence_llm_proxy::overrides::Overrides;
use semafence_llm_proxy::telemetry;
use semafence_redis::{Client, Redis};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use xtask::Server;

/// How long the mock model takes for an answer.
const THINKS: Duration = Duration::from_millis(40);

const OVERRIDES: &str = r#"[
    {"client": "batch", "model": "large", "limit": 2},
    {"client": "chat", "model": "nowhere", "upstream": "http://127.0.0.1:1"}
]"#;

pub(crate) struct Fixture {
    pub(crate) client: Client,
    pub(crate) mock: Mock,
    address: String,
    http: Http<HttpConnector, Body>,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Fixture {
    /// A proxy with a limit of 5, where calls wait so long.
    pub(crate) async fn start(server: &Server, wait: Duration) -> Self {
        let redis = Redis::from_url(&server.url()).unwrap();
        let client = Client::builder(redis).namespace("llm_proxy").build().unwrap();
        let mock = Mock::new(THINKS);
        let proxy = Proxy {
            client: client.clone(),
            upstream: serve(mock.router()).await,
            limit: 5,
            overrides: Overrides::parse(OVERRIDES).unwrap(),
            wait,
            metrics: metrics(),
        };
        Self {
            client,
            mock,
            address: serve(proxy.router().unwrap()).await,
            http: Http::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Calls a model, and reads the answer.
    pub(crate) async fn call(&self, client: &str, model: &str, streams: bool) -> Answer {
        Answer::read(self.open(client, model, streams).await).await
    }

    /// Calls a model, up to the head of the answer.
    pub(crate) fn open(
        &self,
        client: &str,
        model: &str,
        streams: bool,
    ) -> impl Future<Output = Response<Body>> + Send + 'static + use<> {
        self.send(client, json!({"model": model, "stream": streams}))
    }

    /// Posts anything as a call.
    pub(crate) async fn post(&self, client: &str, call: Value) -> Answer {
        Answer::read(self.send(client, call).await).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = Request::get(format!("{}{path}", self.address)).body(Body::empty());
        let response = self.http.request(request.unwrap()).await.unwrap();
        Answer::read(response.map(Body::new)).await
    }

    fn send(&self, client: &str, call: Value) -> impl Future<Output = Response<Body>> + Send + 'static + use<> {
        let request = Request::post(format!("{}/v1/chat/completions", self.address))
            .header("content-type", "application/json")
            .header("x-client-id", client)
            .body(Body::from(call.to_string()));
        let sending = self.http.request(request.unwrap());
        async { sending.await.expect("the proxy answers").map(Body::new) }
    }
}

impl Answer {
    pub(crate) async fn read(response: Response<Body>) -> Self {
        let (head, body) = response.into_parts();
        let body = body.collect().await.expect("a whole body").to_bytes().into();
        Self {
            status: head.status,
            headers: head.headers,
            body,
        }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

/// Waits until something holds, but not for ever.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} within 20 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Serves on a free port of this machine.
async fn serve(app: Router) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// A process has one recorder, and the tests of this file share a process.
fn metrics() -> PrometheusHandle {
    static METRICS: OnceLock<PrometheusHandle> = OnceLock::new();
    METRICS.get_or_init(|| telemetry::install().unwrap()).clone()
}
