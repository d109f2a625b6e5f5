//! Named, timed steps.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use xtask::servers;

/// What became of one step.
#[derive(Debug)]
pub(crate) struct Outcome {
    name: String,
    passed: bool,
    took: Duration,
}

/// The steps run so far.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    outcomes: Vec<Outcome>,
}

impl Steps {
    /// Runs one step; a failed step does not keep the next ones from running.
    pub(crate) fn run(&mut self, name: &str, step: impl FnOnce() -> bool) {
        println!("==> {name}");
        let started = Instant::now();
        let passed = step();
        let outcome = Outcome {
            name: name.to_owned(),
            passed,
            took: started.elapsed(),
        };
        println!("{}", outcome.line());
        self.outcomes.push(outcome);
    }

    pub(crate) fn passed(&self) -> bool {
        self.outcomes.iter().all(|outcome| outcome.passed)
    }

    pub(crate) fn print_summary(&self) {
        println!("\nsteps:");
        for outcome in &self.outcomes {
            println!("{}", outcome.line());
        }
    }
}

impl Outcome {
    fn line(&self) -> String {
        let verdict = if self.passed { "ok" } else { "FAILED" };
        format!("<== {verdict:6} {:>7.1} s  {}", self.took.as_secs_f64(), self.name)
    }
}

/// `cargo` in the workspace's root, with the environment that the caller of `cargo xtask` had.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(args)
        .current_dir(servers::workspace())
        .stdin(Stdio::null());
    forget_cargo(&mut command);
    command
}

/// Keeps from a command what `cargo run` has told this program about its package: it would make build scripts run again.
pub(crate) fn forget_cargo(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        let about_xtask = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if about_xtask
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix))
        {
            command.env_remove(name);
        }
    }
}

/// Runs a command to its end, saying why if it cannot be run.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    match command.status() {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("{}: {error}", command.get_program().display());
            false
        }
    }
}

/// Runs a command, and shows what it said only if it fails.
pub(crate) fn quietly(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().display().to_string();
    let out = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("{program}: {error}"))?;
    if out.status.success() {
        return Ok(());
    }
    let said = [out.stdout, out.stderr].concat();
    Err(format!(
        "{program}: {}\n{}",
        out.status,
        String::from_utf8_lossy(&said).trim_end()
    ))
}
