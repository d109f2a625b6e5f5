//! A server whose time of day is set by the test.
//!
//! A small shared object, compiled here and preloaded into the server, answers `clock_gettime` and its like with what a
//! file says. The server maps that file, so a write to it is seen at once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

const SOURCE: &str = include_str!("clock.c");

/// What a server takes for the time of day, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    /// This one, since the Unix epoch; it stands still.
    Still(i64),
    /// So much more than the true one; it goes on.
    Offset(i64),
}

/// The time of day of one server, settable.
#[derive(Debug)]
pub(crate) struct SetClock {
    library: PathBuf,
    path: PathBuf,
    file: File,
    runs: bool,
    _dir: TempDir,
}

impl SetClock {
    /// Compiles the library, and shows a first time.
    pub(crate) fn create(first: Shown) -> io::Result<Self> {
        let dir = TempDir::with_prefix("semafence-clock-")?;
        let path = dir.path().join("clock");
        let file = File::create(&path)?;
        let clock = Self {
            library: compile(dir.path())?,
            path,
            file,
            runs: matches!(first, Shown::Offset(_)),
            _dir: dir,
        };
        clock.show(first)?;
        Ok(clock)
    }

    /// Shows another time.
    ///
    /// # Errors
    /// When the file is gone, or a clock that stands still is asked to run or the other way round.
    pub(crate) fn show(&self, time: Shown) -> io::Result<()> {
        let us = match (time, self.runs) {
            (Shown::Still(us), false) | (Shown::Offset(us), true) => us,
            _ => return Err(io::Error::other(format!("this server's clock cannot show {time:?}"))),
        };
        self.file.write_all_at(&us.to_ne_bytes(), 0)
    }

    pub(crate) fn show_to(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("SEMAFENCE_CLOCK_FILE", &self.path);
        if self.runs {
            command.env("SEMAFENCE_CLOCK_RUNS", "1");
        }
    }
}

fn compile(dir: &Path) -> io::Result<PathBuf> {
    let (source, library) = (dir.join("clock.c"), dir.join("clock.so"));
    std::fs::write(&source, SOURCE)?;
    let out = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl")
        .output()?;
    if out.status.success() {
        return Ok(library);
    }
    let said = String::from_utf8_lossy(&out.stderr).into_owned();
    Err(io::Error::other(format!("cc could not compile a clock: {said}")))
}
