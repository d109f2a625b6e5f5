//! Pictures of a run, in files.

use std::path::{Path, PathBuf};
use std::{fs, io};

use semafence_sim::picture::{self, Options};

use super::args::SimArgs;
use super::finding::Shown;
use super::verdict::Verdict;
use crate::console::Console;
use crate::failure::Failure;

/// Refuses what could not be written, before anything is played for it.
pub(crate) fn check(args: &SimArgs) -> Result<(), Failure> {
    let html = args.html.as_deref().map(place).transpose()?;
    let svg = args.svg.as_deref().map(place).transpose()?;
    if html.is_some() && html == svg {
        return Err(Failure::usage("--html and --svg name the same file"));
    }
    Ok(())
}

/// Writes the pictures that the options ask for, if there is something to show, and says where they are.
pub(crate) fn hang(args: &SimArgs, verdict: &Verdict, console: &Console) -> Result<(), Failure> {
    let Some(Shown { plan, outcome }) = &verdict.shown else {
        return Ok(());
    };
    let options = Options {
        whole: args.whole,
        plan: Some(plan.clone()),
        repeat: Some(verdict.source.repeat(plan)),
    };
    if let Some(path) = &args.html {
        write(
            path,
            &picture::html(&outcome.history, &outcome.report, &options),
            console,
        )?;
    }
    if let Some(path) = &args.svg {
        write(
            path,
            &picture::svg(&outcome.history, &outcome.report, &options),
            console,
        )?;
    }
    Ok(())
}

fn write(path: &Path, text: &str, console: &Console) -> Result<(), Failure> {
    fs::write(path, text).map_err(|error| unwritable(path, &error))?;
    console.note(&format!("the run is drawn in {}", path.display()));
    Ok(())
}

/// Where a file will be, however that is written.
fn place(path: &Path) -> Result<PathBuf, Failure> {
    let name = path.file_name().filter(|_| !path.is_dir());
    let name = name.ok_or_else(|| unwritable(path, &io::ErrorKind::IsADirectory.into()))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = fs::canonicalize(dir.unwrap_or(Path::new(".")));
    Ok(dir.map_err(|error| unwritable(path, &error))?.join(name))
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::config(format!("cannot write {}: {error}", path.display()))
}
