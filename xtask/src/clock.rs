//! A server whose time of day is set by the test.
//!
//! A small shared object, compiled here and preloaded into the server, answers `clock_gettime` and its like with what a
//! file says. The server maps that file, so a write to it is seen at once.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCE: &str = include_str!("clock.c");

/// The time of day of one server, settable.
#[derive(Debug)]
pub(crate) struct SetClock {
    library: PathBuf,
    path: PathBuf,
    file: File,
}

impl SetClock {
    /// Compiles the library into `dir`, and shows `now_us`.
    pub(crate) fn create(dir: &Path, now_us: i64) -> io::Result<Self> {
        let path = dir.join("clock");
        let file = File::create(&path)?;
        let clock = Self {
            library: compile(dir)?,
            path,
            file,
        };
        clock.set_us(now_us)?;
        Ok(clock)
    }

    /// Microseconds since the Unix epoch; time stands still until the next call.
    pub(crate) fn set_us(&self, now_us: i64) -> io::Result<()> {
        self.file.write_all_at(&now_us.to_ne_bytes(), 0)
    }

    pub(crate) fn show_to(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("SEMAFENCE_CLOCK_FILE", &self.path);
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
