//! Pictures of a run, in files.

use std::fs;
use std::path::Path;

use semafence_sim::picture::{self, Options};

use super::args::SimArgs;
use super::finding::Shown;
use super::source::Source;
use crate::failure::Failure;

/// Writes the pictures that the options ask for.
pub(crate) fn hang(args: &SimArgs, shown: &Shown, source: &Source) -> Result<(), Failure> {
    let Shown { plan, outcome } = shown;
    let options = Options {
        whole: args.whole,
        plan: Some(plan.clone()),
        repeat: Some(source.repeat(plan)),
    };
    if let Some(path) = &args.html {
        write(path, &picture::html(&outcome.history, &outcome.report, &options))?;
    }
    if let Some(path) = &args.svg {
        write(path, &picture::svg(&outcome.history, &outcome.report, &options))?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| Failure::config(format!("cannot write {}: {error}", path.display())))
}
