//! The layer in an axum server with a real socket and a real Redis.

use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use semafence_redis::{Client, Redis, SystemClock};
use semafence_tower::{BoxError, ConcurrencyLimitBuilder, ConcurrencyLimitLayer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use xtask::servers;

type Writer = Sender<Bytes, BoxError>;

/// An axum server on a free port, whose bodies the test writes.
struct Served {
    address: String,
    http: Http<HttpConnector, Empty<Bytes>>,
    writers: mpsc::UnboundedReceiver<Writer>,
}

impl Served {
    async fn start(layer: ConcurrencyLimitLayer) -> Self {
        let (begin, writers) = mpsc::unbounded_channel();
        let begun = get(async move || {
            let (writer, body) = Channel::<Bytes, BoxError>::new(8);
            begin.send(writer).expect("the test goes on");
            Response::new(Body::new(body))
        });
        let app = Router::new().route("/", begun).layer(layer);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, app).await });
        let http = Http::builder(TokioExecutor::new()).build_http();
        Self { address, http, writers }
    }

    async fn send(&self) -> Response<impl http_body::Body<Data = Bytes, Error: std::fmt::Debug> + Unpin + use<>> {
        let request = Request::get(&self.address).body(Empty::new()).unwrap();
        self.http.request(request).await.unwrap()
    }
}

#[tokio::test]
async fn a_stream_holds_its_permit_until_its_client_goes_away() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = semafence_redis::connect(&server.url()).await.unwrap();
    let mut served = Served::start(for_everyone(&client).build().unwrap()).await;
    let mut answer = served.send().await;
    let mut writer = served.writers.recv().await.unwrap();
    writer.send_data("one".into()).await.unwrap();
    assert_eq!(answer.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    assert_eq!(inside(&client).await, 1);

    drop(answer);

    until_nobody_is_inside(&client).await;
    assert!(writer.send_data("two".into()).await.is_err());
}

#[tokio::test]
async fn a_stream_that_ends_gives_its_permit_to_who_waits() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = semafence_redis::connect(&server.url()).await.unwrap();
    let mut served = Served::start(for_everyone(&client).build().unwrap()).await;
    let first = served.send().await;
    let mut writer = served.writers.recv().await.unwrap();

    let (second, ()) = tokio::join!(served.send(), async {
        until_somebody_waits(&client).await;
        writer.send_data("all of it".into()).await.unwrap();
        drop(writer);
        assert_eq!(first.into_body().collect().await.unwrap().to_bytes(), "all of it");
    });

    assert_eq!(second.status(), 200);
    drop(second);
    until_nobody_is_inside(&client).await;
}

#[tokio::test]
async fn a_client_that_goes_away_while_it_waits_leaves_the_queue() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = semafence_redis::connect(&server.url()).await.unwrap();
    let served = Served::start(for_everyone(&client).build().unwrap()).await;
    let held = served.send().await;

    tokio::select! {
        _ = served.send() => panic!("let in above the limit"),
        () = until_somebody_waits(&client) => {}
    }

    until_nobody_waits(&client).await;
    assert_eq!(inside(&client).await, 1);
    drop(held);
}

#[tokio::test]
async fn an_operator_who_takes_a_permit_breaks_the_connection_off() {
    let Some(server) = servers::any_server_or_skip() else {
        return;
    };
    let client = semafence_redis::connect(&server.url()).await.unwrap();
    let served = Served::start(for_everyone(&client).build().unwrap()).await;
    let answer = served.send().await;
    let holder = client.status("everyone").await.unwrap().holders[0].holder;

    client.force_release("everyone", holder).await.unwrap();

    let read = tokio::time::timeout(Duration::from_secs(20), answer.into_body().collect()).await;
    assert!(read.unwrap().is_err(), "the client sees that it is not whole");
}

fn for_everyone(client: &Client) -> ConcurrencyLimitBuilder<Redis, SystemClock> {
    // A short ttl, because an operator's deed is noticed with the next refresh.
    ConcurrencyLimitLayer::builder(client, 1, |_| Some("everyone")).configure(|all| all.ttl = Duration::from_secs(3))
}

async fn inside(client: &Client) -> u64 {
    client.status("everyone").await.unwrap().holders_total
}

async fn until_nobody_is_inside(client: &Client) {
    let start = Instant::now();
    while inside(client).await > 0 {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "given back, and not left to its ttl"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_somebody_waits(client: &Client) {
    while client.stats().names[0].waiters == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn until_nobody_waits(client: &Client) {
    let start = Instant::now();
    while client.status("everyone").await.unwrap().waiters_total > 0 {
        assert!(start.elapsed() < Duration::from_secs(20), "the server has noticed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
