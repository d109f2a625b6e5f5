//! What the scripts and the simulated server do, one binary for all.

mod commands;
mod conformance;
mod scripts;
mod support;
mod verbs;
