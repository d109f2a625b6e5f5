//! `cargo xtask ci`: all that a submission must pass.

use std::env;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use xtask::servers;

use crate::step::{Steps, cargo, succeeds};
use crate::test::{self, Counts};

const CARGO_DENY_VERSION: &str = "0.20.2";

pub(crate) fn run() -> ExitCode {
    let mut steps = Steps::default();
    steps.run("format", || succeeds(&mut cargo(&["fmt", "--all", "--check"])));
    steps.run("clippy", || {
        let lint = [
            "clippy",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ];
        succeeds(&mut cargo(&lint))
    });
    steps.run("docs", || {
        let doc = ["doc", "--workspace", "--no-deps", "--all-features"];
        succeeds(cargo(&doc).env("RUSTDOCFLAGS", "-D warnings"))
    });
    steps.run("licences, bans, sources", deny);
    let mut counts = Counts::default();
    // The README's own command, so that CI notices when it breaks; here no server may be missing.
    steps.run("cargo xtask test", || {
        let (passed, counted) = test::run(cargo(&["xtask", "test"]).env(servers::REQUIRE_VARIABLE, "1"));
        counts = counted;
        passed
    });
    simulator_seeds(&mut steps);
    explored_histories(&mut steps);
    mutants(&mut steps);
    steps.print_summary();
    // Last, and alone on its line: the last test program to run may hold no test at all.
    println!("\n{counts}");
    if steps.passed() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs the simulated tests on more seeds than `cargo test` does: 1 to 200, always the same.
fn simulator_seeds(steps: &mut Steps) {
    let args = ["test", "--package", "semafence", "--test", "simulated"];
    steps.run("simulator seeds", || {
        succeeds(cargo(&args).env("SEMAFENCE_SEEDS", "200"))
    });
}

/// Plays histories of all kinds on the simulator, always the same ones, and holds them against the invariants.
fn explored_histories(steps: &mut Steps) {
    let program = ["run", "--quiet", "--release", "--package", "semafence-cli", "--", "sim"];
    let seeds = ["--seed", "1", "--runs", "6000"];
    steps.run("explored histories", || succeeds(cargo(&program).args(seeds)));
}

/// Searches for every mutant from the first seed on, not only where it was caught before.
fn mutants(steps: &mut Steps) {
    let args = [
        "run",
        "--release",
        "--package",
        "semafence-mutants",
        "--example",
        "hunt",
        "--",
        "--search",
    ];
    steps.run("mutants", || succeeds(&mut cargo(&args)));
}

fn deny() -> bool {
    let Some(program) = cargo_deny().or_else(install_cargo_deny) else {
        return false;
    };
    let check = ["--all-features", "check", "licenses", "bans", "sources"];
    succeeds(Command::new(program).args(check).current_dir(servers::workspace()))
}

/// A cargo-deny that runs, from `PATH` or from the tools directory.
fn cargo_deny() -> Option<PathBuf> {
    let candidates = [PathBuf::from("cargo-deny"), tools().join("bin/cargo-deny")];
    let runs = |program: &PathBuf| {
        Command::new(program)
            .arg("--version")
            .output()
            .is_ok_and(|out| out.status.success())
    };
    candidates.into_iter().find(runs)
}

fn install_cargo_deny() -> Option<PathBuf> {
    println!("installing cargo-deny {CARGO_DENY_VERSION}: minutes, once");
    let install = [
        "install",
        "--quiet",
        "--locked",
        "cargo-deny",
        "--version",
        CARGO_DENY_VERSION,
        "--root",
    ];
    let installed = succeeds(cargo(&install).arg(tools()));
    installed.then(cargo_deny).flatten()
}

fn tools() -> PathBuf {
    env::var_os("SEMAFENCE_TOOLS_DIR").map_or_else(|| servers::workspace().join("target/tools"), PathBuf::from)
}
