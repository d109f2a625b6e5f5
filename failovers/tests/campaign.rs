//! The program of this crate, on a small scale.

use std::process::Command;

use xtask::Deployment;

fn campaign(args: &[&str]) {
    // Only to be skipped visibly where there is no server.
    if Deployment::any().replicas(0).sentinels(1).start_or_skip().is_none() {
        return;
    }
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
    for line in [
        "tokens     0 repeated, 0 regressed",
        "hanging    0",
        "INCR       repeated or went back in 2 of 2",
    ] {
        assert!(said.contains(line), "{said}");
    }
}

#[test]
fn over_failovers_that_lose_grants_tokens_grow_and_with_a_grace_nobody_holds_too_much_with_redis_rs() {
    campaign(&["--driver", "redis-rs", "--grace", "2s"]);
}

#[test]
fn over_failovers_that_lose_grants_tokens_grow_and_with_a_grace_nobody_holds_too_much_with_fred() {
    campaign(&["--driver", "fred", "--grace", "2s"]);
}

#[test]
fn over_failovers_of_a_master_that_hangs_tokens_grow() {
    campaign(&["--fault", "hung", "--grace", "0s"]);
}
