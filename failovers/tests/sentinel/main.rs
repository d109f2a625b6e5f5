//! Real deployments behind Sentinel: what every backend does there.

mod acks;
mod conformance;
mod failover;
mod forgotten;
mod reaching;
mod split;
mod support;
