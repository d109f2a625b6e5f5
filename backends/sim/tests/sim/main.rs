//! What the scripts and the simulated server do, one binary for all.

mod commands;
mod healing;
mod scripts;
mod support;
mod verbs;
