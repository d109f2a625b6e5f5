//! In place of the facade where it is not compiled in: says nothing.

use std::sync::Arc;
use std::time::Duration;

use crate::fence::FencingToken;
use crate::meter::{Meter, Verb};
use crate::name::Name;
use crate::stats::{Acquired, Lost, Refreshed, Released, Returned};

#[derive(Debug)]
pub(crate) struct Raised;

#[derive(Debug)]
pub(crate) struct Emitter;

impl Emitter {
    pub(crate) fn new(_: &Name) -> Self {
        Self
    }

    pub(crate) fn waits(&self) -> Raised {
        Raised
    }

    pub(crate) fn holds(&self, _: u32) -> Raised {
        Raised
    }

    pub(crate) fn limit(&self, _: u32) {}

    pub(crate) fn token(&self, _: FencingToken) {}

    pub(crate) fn token_went_back(&self) {}

    pub(crate) fn acquired(&self, _: Acquired, _: Duration) {}

    pub(crate) fn held_for(&self, _: Duration) {}

    pub(crate) fn refreshed(&self, _: Refreshed) {}

    pub(crate) fn lost(&self, _: Lost) {}

    pub(crate) fn released(&self, _: Released) {}

    pub(crate) fn returned(&self, _: Returned) {}
}

#[derive(Debug, Default)]
pub(crate) struct CommandEmitter;

impl CommandEmitter {
    pub(crate) fn called(&self, _: Verb, _: bool, _: Duration) {}

    pub(crate) fn failed_over(&self) {}

    pub(crate) fn link(&self, _: bool) -> Raised {
        Raised
    }
}

pub(crate) fn describe() {}

pub(crate) fn join(_: &Arc<Meter>) {}

pub(crate) fn sample_leases<'a>(_: impl Iterator<Item = &'a Arc<Meter>>) {}

pub(crate) fn lease_began(_: &Arc<Meter>) {}
