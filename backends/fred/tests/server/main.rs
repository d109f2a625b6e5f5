//! The backend against real servers.

mod connection;
mod errors;
mod hardening;
mod listening;
mod login;
mod model;
mod support;
