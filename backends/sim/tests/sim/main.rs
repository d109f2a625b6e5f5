//! What the scripts and the simulated server do, one binary for all.

mod conformance;
mod support;
mod verbs;
