//! `cargo run --release -p semafence-failovers -- run --failovers 100`: real failovers under load, judged.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use semafence_failovers::{acks, campaign, pairs, worker};

#[derive(Debug, Parser)]
enum Verb {
    /// Repeats failovers that lose grants, and judges what every process saw.
    Run(campaign::Plan),
    /// Counts the acknowledged grants that are lost with a master.
    Acks(acks::Trial),
    /// Compares what an acquire and its release cost with each driver.
    Pairs(pairs::Amount),
    /// Is one process of the load; started by `run`.
    Work(worker::Orders),
}

fn main() -> ExitCode {
    let done = match Verb::parse() {
        Verb::Run(plan) => campaign::run(&plan).map_err(|error| error.to_string()),
        Verb::Acks(trial) => block_on(acks::run(trial)),
        Verb::Pairs(amount) => block_on(pairs::compare(amount)).map(|()| true),
        Verb::Work(orders) => {
            let worked = async { worker::work(orders).await.map_err(|error| error.to_string()) };
            block_on(worked).map(|()| true)
        }
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

fn block_on<T>(work: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(work)
}
