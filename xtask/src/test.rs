//! `cargo xtask test`: every test and doctest of the workspace.

use std::fmt;
use std::io::{self, BufRead, BufReader, Write};
use std::ops::AddAssign;
use std::process::{Command, ExitCode, Stdio};

use xtask::prometheus;
use xtask::servers::{self, Flavor};

use crate::{images, setup, step};

/// The tests that need containers: a package that nobody else pays for.
const CONTAINERS: &str = "semafence-containers";

/// Sets up the servers, then runs everything; whatever setup could get may not be skipped.
pub(crate) fn all(args: &[&str]) -> ExitCode {
    if setup::install() != ExitCode::SUCCESS {
        return ExitCode::FAILURE;
    }
    let (mut passed, mut counts) = run(cargo_test(args).env(servers::REQUIRE_VARIABLE, required()));
    // Arguments choose some tests, which are hardly these.
    if args.is_empty() {
        let (also_passed, counted) = containers();
        passed &= also_passed;
        counts += counted;
    }
    println!("\n{counts}");
    exit_code(passed)
}

/// Builds the image, then runs the tests that need containers; without a Docker engine it only says so.
fn containers() -> (bool, Counts) {
    if !images::engine_answers() {
        println!("SKIPPED {CONTAINERS}: no Docker engine answers here");
        return (true, Counts::default());
    }
    if let Err(error) = images::build() {
        println!("{} was not built: {error}", images::IMAGE);
        return (false, Counts::default());
    }
    let mut tests = step::cargo(&["test", "--package", CONTAINERS]);
    run(tests.env(servers::REQUIRE_VARIABLE, "docker"))
}

/// Runs everything with the servers that are there, skipping the rest.
pub(crate) fn quick(args: &[&str]) -> ExitCode {
    let (passed, counts) = run(&mut cargo_test(args));
    println!("\n{counts}");
    exit_code(passed)
}

/// Runs `cargo test`, shows what it prints, and adds up the results of all test programs.
pub(crate) fn run(command: &mut Command) -> (bool, Counts) {
    let mut counts = Counts::default();
    let mut child = match command.stdout(Stdio::piped()).spawn() {
        Ok(child) => child,
        Err(error) => {
            eprintln!("cargo test: {error}");
            return (false, counts);
        }
    };
    let stdout = child.stdout.take().expect("stdout is piped");
    for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
        let mut out = io::stdout().lock();
        let _a_closed_stdout_is_fine = out.write_all(&line).and_then(|()| out.write_all(b"\n"));
        counts.add(&String::from_utf8_lossy(&line));
    }
    let passed = child.wait().is_ok_and(|status| status.success());
    (passed, counts)
}

/// `cargo test` for the whole workspace, unless the arguments choose packages.
fn cargo_test(args: &[&str]) -> Command {
    let chosen = args
        .iter()
        .any(|arg| arg.starts_with("-p") || arg.starts_with("--package"));
    let scope: &[&str] = if chosen {
        &[]
    } else {
        &["--workspace", "--exclude", CONTAINERS]
    };
    let mut command = step::cargo(&["test", "--all-features", "--no-fail-fast"]);
    command.args(scope).args(args);
    command
}

/// What the caller asked for, or else all that this machine has: servers, namespaces, `promtool`.
fn required() -> String {
    std::env::var(servers::REQUIRE_VARIABLE).unwrap_or_else(|_| {
        let found = Flavor::ALL.into_iter().filter(|flavor| servers::available(*flavor));
        let namespaces = servers::namespaces_available().then_some(servers::NAMESPACES);
        let promtool = prometheus::find("promtool").map(|_| prometheus::ID);
        found
            .map(Flavor::id)
            .chain(namespaces)
            .chain(promtool)
            .collect::<Vec<_>>()
            .join(",")
    })
}

fn exit_code(passed: bool) -> ExitCode {
    if passed { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many tests passed, failed, and were ignored.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Adds a line like `test result: ok. 3 passed; 0 failed; 1 ignored; …`; any other line adds nothing.
    fn add(&mut self, line: &str) {
        let Some((_, results)) = line
            .strip_prefix("test result: ")
            .and_then(|line| line.split_once(". "))
        else {
            return;
        };
        for result in results.split("; ") {
            let Some((count, what)) = result.split_once(' ') else {
                continue;
            };
            let count = count.parse::<u64>().unwrap_or_default();
            match what {
                "passed" => self.passed += count,
                "failed" => self.failed += count,
                "ignored" => self.ignored += count,
                _ => {}
            }
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.ignored
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_of_all_test_programs_are_added_up() {
        let mut counts = Counts::default();

        counts.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 2 filtered out; finished in 0.00s");
        counts.add("test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out");
        counts.add("test some::test ... ok");

        assert_eq!(counts.to_string(), "7 passed, 2 failed, 1 skipped");
    }
}
