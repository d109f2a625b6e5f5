//! The program as its users run it: real processes, and a real server where one is needed.
#![cfg(target_os = "linux")]

mod demo;
mod guarding;
mod loss;
mod process;
mod run;
mod scene;
mod settings;
mod signals;
mod sim;
mod soak;
mod status;
mod terminal;
mod usage;
