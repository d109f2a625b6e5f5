//! What the scripts and the simulated server do, one binary for all.

mod acks;
mod boundary;
mod commands;
mod determinism;
mod exchanges;
mod explore;
mod failover;
mod grace;
mod healing;
mod invariants;
mod keys;
mod live;
mod network;
mod plans;
mod rejoining;
mod running;
mod saved;
mod scripts;
mod shortcuts;
mod slots;
mod stepless;
mod support;
mod tokens;
mod verbs;
mod votes;
