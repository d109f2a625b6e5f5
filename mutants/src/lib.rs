#![forbid(unsafe_code)]
//! The acceptance test of the simulator: wrong designs put in on purpose, each of which it has to catch.
