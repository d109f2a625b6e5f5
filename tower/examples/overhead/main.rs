//! What the layer adds to a request, beside tower's own limit of one process, in one run.
//!
//! `cargo run --release -p semafence-tower --example overhead`
//!
//! One caller, one request after another, so what is shown is latency. The rows take turns, so that whatever else the
//! machine does falls on all of them.

mod granting;

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::{BodyExt, Empty, Full};
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use semafence::Client;
use semafence_tower::ConcurrencyLimitLayer;
use tokio::net::TcpListener;
use tower::limit::ConcurrencyLimitLayer as LocalLimitLayer;
use tower::{Layer, Service, ServiceExt, service_fn};
use xtask::Server;

use granting::Granting;

const ROUNDS: usize = 300;
const REQUESTS: u32 = 40;
const LIMIT: u32 = 1000;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;
type Sending = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A way to send a request and read the answer to its end, and how long each round of it took.
struct Row {
    label: &'static str,
    send: Box<dyn FnMut() -> Sending + Send>,
    rounds: Vec<Duration>,
}

#[tokio::main]
async fn main() -> Outcome {
    let server = Server::start_any()?;
    let redis = semafence_redis::connect(&server.url()).await?;
    let granting = Client::new(Granting)?;
    let keyless = ConcurrencyLimitLayer::builder(&redis, LIMIT, |_| None::<String>).build()?;
    let keeper_only = ConcurrencyLimitLayer::builder(&granting, LIMIT, |_| Some("all")).build()?;
    let distributed = ConcurrencyLimitLayer::builder(&redis, LIMIT, |_| Some("all")).build()?;
    let local = LocalLimitLayer::new(LIMIT as usize);
    let hello = service_fn(async |_: Request<Empty<Bytes>>| Ok::<_, Infallible>(Response::new(Full::from("hello"))));

    let mut called = vec![
        Row::called("no limit", hello),
        Row::called("tower's ConcurrencyLimit, of one process", local.layer(hello)),
        Row::called("this layer, a request without a key", keyless.layer(hello)),
        Row::called("this layer, a backend that grants at once", keeper_only.layer(hello)),
        Row::called("this layer, Redis on loopback", distributed.layer(hello)),
    ];
    let router = Router::new().route("/", get(async || "hello"));
    let mut served = vec![
        Row::served("no limit", router.clone()).await?,
        Row::served("tower's ConcurrencyLimit, of one process", router.clone().layer(local)).await?,
        Row::served("this layer, Redis on loopback", router.layer(distributed)).await?,
    ];
    for rows in [&mut called, &mut served] {
        for _ in 0..ROUNDS {
            for row in rows.iter_mut() {
                row.round().await;
            }
        }
    }
    print("as a service in this process", &mut called);
    print(
        "as an axum server over HTTP/1 on loopback, connection kept",
        &mut served,
    );
    Ok(())
}

impl Row {
    fn called<S, B>(label: &'static str, service: S) -> Self
    where
        S: Service<Request<Empty<Bytes>>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
        S::Future: Send,
        B: Body<Data: Send> + Send,
    {
        let send = move || {
            let sending = service.clone().oneshot(Request::new(Empty::new()));
            Box::pin(async {
                let Ok(response) = sending.await;
                assert_eq!(response.status(), 200);
                let _whole = response.into_body().collect().await;
            }) as Sending
        };
        Self {
            label,
            send: Box::new(send),
            rounds: Vec::new(),
        }
    }

    async fn served(label: &'static str, app: Router) -> Outcome<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = format!("http://{}/", listener.local_addr()?);
        tokio::spawn(async { axum::serve(listener, app).await });
        let http = Http::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
        let send = move || {
            let sending = http.get(address.parse().expect("an address"));
            Box::pin(async {
                let response = sending.await.expect("an answer");
                assert_eq!(response.status(), 200);
                response.into_body().collect().await.expect("a whole body");
            }) as Sending
        };
        Ok(Self {
            label,
            send: Box::new(send),
            rounds: Vec::new(),
        })
    }

    async fn round(&mut self) {
        let start = Instant::now();
        for _ in 0..REQUESTS {
            (self.send)().await;
        }
        self.rounds.push(start.elapsed() / REQUESTS);
    }

    fn median(&mut self) -> Duration {
        self.rounds.sort_unstable();
        self.rounds[self.rounds.len() / 2]
    }
}

/// The medians of the rounds, and what each row adds to the first, also as a multiple of what tower's own limit adds.
fn print(heading: &str, rows: &mut [Row]) {
    println!("\n{heading}: µs a request, median of {ROUNDS} rounds of {REQUESTS}");
    let medians: Vec<Duration> = rows.iter_mut().map(Row::median).collect();
    let (none, local) = (micros(medians[0]), micros(medians[1]));
    for (row, median) in rows.iter().zip(&medians) {
        let median = micros(*median);
        let (adds, ratio) = (median - none, median / local);
        println!(
            "{:<45} {median:>9.2}   adds {adds:>8.2}   {ratio:>7.2} × tower's",
            row.label
        );
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
