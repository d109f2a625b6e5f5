//! An HTTP API that allows three calls at once, however many processes call it.
//!
//! `cargo xtask up single -- cargo run -p semafence-http-api`, or without the first part on a server of your own that
//! `SEMAFENCE_URL` names. The API is in this program, so nothing else is called.

#![forbid(unsafe_code)]

mod api;

use std::env;
use std::error::Error as StdError;
use std::time::Duration;

use reqwest::{Client as Http, StatusCode};
use semafence_redis::Semaphore;
use tokio::task::JoinSet;

type Failed = Box<dyn StdError + Send + Sync>;

const CALLS: u32 = 20;

#[tokio::main]
async fn main() -> Result<(), Failed> {
    let api = api::serve().await?;
    let url = env::var("SEMAFENCE_URL").unwrap_or_else(|_| "redis://127.0.0.1/".to_owned());
    let client = semafence_redis::connect(&url).await?;
    let slots = client
        .semaphore("weather-api", 3)
        .ttl(Duration::from_secs(15))
        .build()?;
    let http = Http::new();

    println!(
        "as they come: {} of {CALLS} calls refused",
        refused(&http, &api, None).await?
    );
    println!(
        "three at once: {} of {CALLS} calls refused",
        refused(&http, &api, Some(&slots)).await?
    );

    client.close().await;
    Ok(())
}

/// How many of all calls at once are refused.
async fn refused(http: &Http, api: &str, slots: Option<&Semaphore>) -> Result<usize, Failed> {
    let mut calls = JoinSet::new();
    for city in 0..CALLS {
        let (http, url, slots) = (http.clone(), format!("{api}/weather/{city}"), slots.cloned());
        calls.spawn(async move {
            match slots {
                Some(slots) => call_in_turn(&http, &url, &slots).await,
                None => call(&http, &url).await,
            }
        });
    }
    let mut refused = 0;
    while let Some(status) = calls.join_next().await {
        refused += usize::from(status?? == StatusCode::TOO_MANY_REQUESTS);
    }
    Ok(refused)
}

/// Waits for its turn, over all processes, and calls.
async fn call_in_turn(http: &Http, url: &str, slots: &Semaphore) -> Result<StatusCode, Failed> {
    let permit = slots.acquire().await?;
    let status = permit.run(call(http, url)).await??; // The call is dropped if the permit is lost.
    permit.release().await?; // Or drop it: given back in the background.
    Ok(status)
}

/// The permit covers the body as well: a call is not over when its head has come.
async fn call(http: &Http, url: &str) -> Result<StatusCode, Failed> {
    let response = http.get(url).send().await?;
    let status = response.status();
    response.bytes().await?;
    Ok(status)
}
