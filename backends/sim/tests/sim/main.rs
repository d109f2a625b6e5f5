//! What the scripts and the simulated server do, one binary for all.

mod commands;
mod healing;
mod keys;
mod scripts;
mod slots;
mod support;
mod verbs;
