//! The layer on the simulator: in virtual time, on one thread.

mod bodies;
mod keys;
mod leaving;
mod outages;
mod readiness;
mod rejections;
mod support;
