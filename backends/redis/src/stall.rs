//! A connection that does not answer.

pub(crate) use semafence::Stall;
