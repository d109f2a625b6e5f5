//! What there is to see: a proxy under load that loses its Redis for a while.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use semafence_llm_proxy::app::Proxy;
use semafence_llm_proxy::mock::Mock;
use semafence_llm_proxy::overrides::Overrides;
use semafence_llm_proxy::telemetry;
use semafence_redis::{Client, Mutex, Redis};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tower::ServiceExt;
use xtask::{Builder, Server};

use crate::Outcome;

/// How long a call takes.
const THINKS: Duration = Duration::from_millis(700);
const WAIT: Duration = Duration::from_secs(8);

/// A proxy with a job beside it, and the server that they need.
pub(crate) struct Scene {
    /// Where it serves its metrics.
    pub(crate) address: String,
    app: Router,
    client: Client,
    redis: Server,
}

/// From when to when, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub(crate) from: f64,
    pub(crate) to: f64,
}

impl Scene {
    pub(crate) async fn start() -> Outcome<Self> {
        // It keeps its data, as it should in production.
        let redis = Builder::any()
            .args(["--appendonly", "yes", "--appendfsync", "always"])
            .start()?;
        let client = Client::builder(Redis::from_url(&redis.url())?)
            .namespace("llm_proxy")
            .build()?;
        let proxy = Proxy {
            client: client.clone(),
            upstream: serve(Mock::new(THINKS).router()).await?,
            limit: 5,
            overrides: Overrides::default(),
            wait: WAIT,
            metrics: telemetry::install()?,
        };
        let app = proxy.router()?;
        let address = serve(app.clone()).await?;
        Ok(Self {
            address,
            app,
            client,
            redis,
        })
    }

    pub(crate) async fn play(&self) -> Outcome<Span> {
        let from = now();
        let mut callers = JoinSet::new();
        let job = self.client.mutex("report").ttl(Duration::from_secs(30)).build()?;
        callers.spawn(work(job));
        self.callers(&mut callers, "chat", 4);
        self.callers(&mut callers, "batch", 7);
        act("a usual load", 60).await;

        let mut more = JoinSet::new();
        self.callers(&mut more, "chat", 60);
        act("more than the limit lets through in time", 45).await;
        more.shutdown().await;
        act("as before", 20).await;

        self.redis.kill();
        act("no Redis", 50).await;
        self.redis.restart()?;
        act("Redis again", 60).await;
        callers.shutdown().await;
        Ok(Span { from, to: now() })
    }

    /// So many callers of one client that call again and again.
    fn callers(&self, callers: &mut JoinSet<()>, client: &'static str, count: u32) {
        for _ in 0..count {
            let app = self.app.clone();
            callers.spawn(async move {
                loop {
                    call(app.clone(), client).await;
                }
            });
        }
    }
}

/// A job that takes much longer than its lease, so that this has to be kept.
async fn work(job: Mutex) {
    loop {
        let done = match job.lock().await {
            Ok(permit) => permit.run(sleep(Duration::from_secs(75))).await,
            Err(error) => Err(error),
        };
        if let Err(error) = done {
            println!("the job: {error}");
            sleep(Duration::from_secs(1)).await;
        }
    }
}

async fn act(what: &str, seconds: u64) {
    println!("{seconds} s: {what}");
    sleep(Duration::from_secs(seconds)).await;
}

async fn call(app: Router, client: &str) {
    let request = Request::post("/v1/chat/completions")
        .header("content-type", "application/json")
        .header("x-client-id", client)
        .body(Body::from(r#"{"model": "mock"}"#))
        .expect("a valid request");
    let response = app.oneshot(request).await.expect("a router has no errors");
    let rejected = !response.status().is_success();
    let _a_body_that_breaks_off_is_fine = to_bytes(response.into_body(), usize::MAX).await;
    if rejected {
        sleep(Duration::from_secs(1)).await;
    }
}

async fn serve(app: Router) -> Outcome<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(address)
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.expect("it is later than 1970").as_secs_f64()
}
