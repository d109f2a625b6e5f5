//! The proxy as a program. `cargo run -p semafence-llm-proxy -- --help`

#![forbid(unsafe_code)]

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use clap::Parser;
use semafence::{Client, Clock, LockBackend};
use semafence_llm_proxy::app::Proxy;
use semafence_llm_proxy::mock::Mock;
use semafence_llm_proxy::overrides::Overrides;
use semafence_llm_proxy::telemetry;
use semafence_redis::Redis;
use semafence_sim::Sim;
use tokio::net::TcpListener;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

const NAMESPACE: &str = "llm_proxy";

/// Caps the calls in flight to language models, per x-client-id and model, over all replicas.
#[derive(Debug, Parser)]
struct Args {
    /// Where to listen.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: String,
    /// The Redis or Valkey that replicas share, such as redis://127.0.0.1/; without, a simulated one for this process.
    #[arg(long, env = "REDIS_URL", hide_env_values = true)]
    redis: Option<String>,
    /// Where calls go, such as http://127.0.0.1:9000; without, to a mock model.
    #[arg(long)]
    upstream: Option<String>,
    /// Calls in flight at once for each client and model.
    #[arg(long, default_value_t = 5)]
    limit: u32,
    /// How many seconds a call waits for its turn.
    #[arg(long, default_value_t = 200)]
    wait_seconds: u64,
    /// A JSON file of what is different for some, such as examples/llm-proxy/overrides.json.
    #[arg(long)]
    overrides: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> Outcome {
    let args = Args::parse();
    match &args.redis {
        Some(url) => {
            let client = Client::builder(Redis::from_url(url)?).namespace(NAMESPACE).build()?;
            serve(client, args).await
        }
        None => {
            println!("no --redis: the limit holds in this process only");
            let client = Sim::new(1).client_builder().namespace(NAMESPACE).build()?;
            serve(client, args).await
        }
    }
}

async fn serve<B: LockBackend, C: Clock>(client: Client<B, C>, args: Args) -> Outcome {
    let overrides = match &args.overrides {
        Some(path) => Overrides::parse(&std::fs::read_to_string(path)?)?,
        None => Overrides::default(),
    };
    let metrics = telemetry::install()?;
    let proxy = Proxy {
        client: client.clone(),
        upstream: upstream(args.upstream).await?,
        limit: args.limit,
        overrides,
        wait: Duration::from_secs(args.wait_seconds),
        metrics,
    };
    let app = proxy.router()?;
    let listener = TcpListener::bind(&args.listen).await?;
    println!("listening on http://{}", listener.local_addr()?);
    axum::serve(listener, app).with_graceful_shutdown(interrupted()).await?;
    let closed = client.close().await;
    println!(
        "{} permits given back, {} left to their ttl",
        closed.returned, closed.abandoned
    );
    Ok(())
}

/// Where calls go: to the address that was given, or to a mock model that is started here.
async fn upstream(given: Option<String>) -> Outcome<String> {
    if let Some(address) = given {
        return Ok(address);
    }
    let mock: Router = Mock::new(Duration::from_secs(2)).router();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    println!("no --upstream: a mock model answers on {address}");
    tokio::spawn(async { axum::serve(listener, mock).await });
    Ok(address)
}

async fn interrupted() {
    let _without_signals_it_ends_by_force = tokio::signal::ctrl_c().await;
}
