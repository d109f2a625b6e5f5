//! A directory of its own, a clean environment, and a server where one is needed.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use xtask::{Builder, Server};

use crate::process::{Running, eventually, stdout};

/// Where the program runs.
pub(crate) struct Scene {
    dir: TempDir,
    url: Option<String>,
}

impl Scene {
    /// No server, no address.
    pub(crate) fn bare() -> Self {
        Self {
            dir: TempDir::new().unwrap(),
            url: None,
        }
    }

    /// A server of its own, whose address the program knows.
    pub(crate) fn with_server() -> Option<(Self, Server)> {
        let server = Builder::any().start_or_skip()?;
        let url = Some(server.url());
        Some((Self { url, ..Self::bare() }, server))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The program with these arguments, in this directory.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_semafence"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SEMAFENCE_") {
                command.env_remove(name);
            }
        }
        command
            .args(args)
            .current_dir(self.dir.path())
            .env("XDG_CONFIG_HOME", self.dir.path())
            .stdin(Stdio::null());
        if let Some(url) = &self.url {
            command.env("SEMAFENCE_URL", url);
        }
        command
    }

    /// Runs it to its end.
    pub(crate) fn output(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs it to its end, for its exit code.
    #[track_caller]
    pub(crate) fn code(&self, args: &[&str]) -> i32 {
        let output = self.output(args);
        output.status.code().unwrap_or_else(|| panic!("{output:?}"))
    }

    /// Starts it, with stderr kept.
    pub(crate) fn start(&self, args: &[&str]) -> Running {
        Running(self.command(args).stderr(Stdio::piped()).spawn().unwrap())
    }

    /// What `status --json` says.
    #[track_caller]
    pub(crate) fn status(&self, name: &str) -> Value {
        let output = self.output(&["status", name, "--json"]);
        assert!(output.status.success(), "{output:?}");
        serde_json::from_str(&stdout(&output)).unwrap()
    }

    /// Waits until so many hold and so many wait.
    #[track_caller]
    pub(crate) fn await_status(&self, name: &str, held: u64, waiting: u64) {
        eventually(&format!("{held} held and {waiting} waiting of {name}"), || {
            let status = self.status(name);
            status["held"] == held && status["waiting"] == waiting
        });
    }
}
