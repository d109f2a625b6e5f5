//! The program on a real server.

use std::process::Command;

use xtask::servers::any_server_or_skip;

#[test]
fn the_program_sends_each_invoice_once() {
    let Some(server) = any_server_or_skip() else { return };

    let mut program = Command::new(env!("CARGO_BIN_EXE_semafence-tested-job"));
    let out = program.env("SEMAFENCE_URL", server.url()).output().unwrap();

    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(String::from_utf8(out.stdout).unwrap(), "sent: [1, 1, 1]\n");
}
