//! The backend against real servers.

mod acks;
mod connection;
mod errors;
mod listening;
mod login;
mod model;
mod stepless;
mod support;
