//! The program of this crate, on a small scale.

use std::process::Command;

use xtask::Deployment;

fn campaign(args: &[&str]) {
    // Only to be skipped visibly where there is no server.
    if Deployment::any().replicas(0).sentinels(1).start_or_skip().is_some() {
        judge(args, &[]);
    }
}

/// The old master is cut off with a third of the processes; the second time with a sentinel, too.
fn split(args: &[&str], lines: &[&str]) {
    let builder = Deployment::any().replicas(0).sentinels(1).partitionable();
    if builder.start_or_skip().is_some() {
        let args = [&["--fault", "split"], args].concat();
        let outranked = [
            "0 of them not above the old side's",
            "refused after a newer owner of the slot, 0 let in",
        ];
        judge(&args, &[&outranked, lines].concat());
    }
}

fn judge(args: &[&str], lines: &[&str]) {
    let output = Command::new(env!("CARGO_BIN_EXE_semafence-failovers"))
        .args(["run", "--failovers", "2", "--processes", "3", "--ttl", "2s"])
        .args(args)
        .output()
        .unwrap();
    let (said, complained) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );

    assert!(output.status.success(), "{said}{complained}");
    let always = [
        "tokens     0 repeated, 0 regressed",
        "hanging    0",
        "untold     0",
        "INCR       repeated or went back in 2 of 2",
    ];
    for line in always.iter().chain(lines) {
        assert!(said.contains(line), "{line} in {said}");
    }
}

/// SCENARIOS 46.
#[test]
fn over_failovers_that_lose_grants_tokens_grow_and_with_a_grace_nobody_holds_too_much_with_redis_rs() {
    campaign(&["--driver", "redis-rs", "--grace", "2s"]);
}

/// SCENARIOS 46.
#[test]
fn over_failovers_that_lose_grants_tokens_grow_and_with_a_grace_nobody_holds_too_much_with_fred() {
    campaign(&["--driver", "fred", "--grace", "2s"]);
}

#[test]
fn over_failovers_of_a_master_that_hangs_tokens_grow() {
    campaign(&["--fault", "hung", "--grace", "0s"]);
}

/// With a grace and stepless leases no holder loses anything by the other clock, and nobody is let in beside one.
#[test]
fn a_successor_whose_clock_is_behind_ends_no_stepless_lease() {
    campaign(&["--fault", "clock-behind", "--stepless", "--grace", "2s"]);
}

/// SCENARIOS 32.
#[test]
fn what_an_old_master_grants_that_is_cut_off_is_outranked_with_redis_rs() {
    split(&["--driver", "redis-rs", "--grace", "0s"], &[]);
}

/// SCENARIOS 32.
#[test]
fn what_an_old_master_grants_that_is_cut_off_is_outranked_with_fred() {
    split(&["--driver", "fred", "--grace", "0s"], &[]);
}

/// SCENARIOS 32. Leases of the old side are over when the grace is: nothing could refresh them.
#[test]
fn an_old_master_that_writes_only_with_a_replica_and_a_grace_let_nobody_in_beside_a_holder() {
    split(&["--min-replicas", "--grace", "4s"], &["overlaps   0,"]);
}
