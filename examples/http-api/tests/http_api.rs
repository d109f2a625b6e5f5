//! The program calls the API without being refused.

use std::process::Command;

use xtask::servers::any_server_or_skip;

#[test]
fn with_a_semaphore_no_call_is_refused() {
    let Some(server) = any_server_or_skip() else { return };

    let mut program = Command::new(env!("CARGO_BIN_EXE_semafence-http-api"));
    let out = program.env("SEMAFENCE_URL", server.url()).output().unwrap();

    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let stdout = String::from_utf8(out.stdout).unwrap();
    let lines: Vec<&str> = stdout.lines().collect();
    assert_ne!(
        lines[0], "as they come: 0 of 20 calls refused",
        "or the API has no limit"
    );
    assert_eq!(lines[1], "three at once: 0 of 20 calls refused");
}
