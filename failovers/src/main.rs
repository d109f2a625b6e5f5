//! `cargo run --release -p semafence-failovers -- run --failovers 100`: real failovers under load, judged.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use semafence_failovers::{campaign, worker};

#[derive(Debug, Parser)]
enum Verb {
    /// Repeats failovers that lose grants, and judges what every process saw.
    Run(campaign::Plan),
    /// Is one process of the load; started by `run`.
    Work(worker::Orders),
}

fn main() -> ExitCode {
    let done = match Verb::parse() {
        Verb::Run(plan) => campaign::run(&plan).map_err(|error| error.to_string()),
        Verb::Work(orders) => work(orders).map(|()| true),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn work(orders: worker::Orders) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime
        .block_on(worker::work(orders))
        .map_err(|error| error.to_string())
}
