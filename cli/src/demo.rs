//! `semafence demo`.

use crate::failure::Failure;
use crate::settings::Settings;

/// Watch a semaphore at work
#[derive(Debug, clap::Args)]
pub(crate) struct DemoArgs {}

/// Shows it.
pub(crate) fn demo(_args: &DemoArgs, _settings: &Settings) -> Result<u8, Failure> {
    Ok(0)
}
