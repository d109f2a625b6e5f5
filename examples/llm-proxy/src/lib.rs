//! An example: a reverse proxy that caps the calls in flight to language models, per client and model, over all its
//! replicas. `cargo run -p semafence-llm-proxy` needs neither Redis nor a model: it brings a simulated and a mock one.
//!
//! What limits a call is in its body, so `call` reads that first. Then the layer of `semafence-tower` in `app` lets
//! at most so many calls of a pair through at once, streams for as long as they stream, and `upstream` forwards them.

#![forbid(unsafe_code)]

pub mod app;
mod call;
mod failure;
mod looks;
pub mod mock;
pub mod overrides;
pub mod telemetry;
mod upstream;
