//! `cargo xtask ci`: all that a submission must pass.

use std::process::ExitCode;

use xtask::servers;

use crate::step::{Steps, cargo, succeeds};
use crate::test::{self, Counts};
use crate::tools;

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
    steps.run("typos", typos);
    steps.run("each feature by itself", each_feature);
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
    // Chosen by no seed; each history takes as long as that of several servers does.
    let of_several = ["--profile", "quorum", "--seed", "1", "--runs", "600"];
    steps.run("explored histories of a quorum", || {
        succeeds(cargo(&program).args(of_several))
    });
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
    let check = ["--all-features", "check", "licenses", "bans", "sources"];
    tools::CARGO_DENY
        .command()
        .is_some_and(|mut deny| succeeds(deny.args(check)))
}

fn typos() -> bool {
    tools::TYPOS.command().is_some_and(|mut typos| succeeds(&mut typos))
}

/// Each library with none of its features and with each of them alone.
fn each_feature() -> bool {
    let lint = ["hack", "clippy", "--each-feature", "--lib"];
    let packages = ["semafence", "semafence-fred", "semafence-redis"].map(|package| ["--package", package]);
    tools::CARGO_HACK.command().is_some_and(|mut hack| {
        succeeds(
            hack.args(lint)
                .args(packages.as_flattened())
                .args(["--", "-D", "warnings"]),
        )
    })
}
