//! `semafence status`: who holds a semaphore, and who waits for it.

use crate::failure::Failure;
use crate::report;
use crate::settings::Settings;
use crate::watch::{Answer, WatchArgs, show};

/// Show who holds a semaphore and who waits for it
///
/// Changes nothing. A name that nobody has used is shown with nobody in it.
#[derive(Debug, clap::Args)]
pub(crate) struct StatusArgs {
    /// Name of the semaphore
    name: String,
    #[command(flatten)]
    watch: WatchArgs,
}

/// Shows it.
pub(crate) fn status(args: &StatusArgs, settings: &Settings) -> Result<u8, Failure> {
    show(&args.watch, settings, async |client| {
        let status = client.status(&args.name).await?;
        Ok(Answer {
            schema: "status",
            object: report::object(&status),
            text: report::details(&status),
        })
    })
}
