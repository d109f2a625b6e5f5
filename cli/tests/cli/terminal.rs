//! Terminals, and what is only shown there.

use std::fs::File;
use std::io::Read;

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::process::Running;
use crate::scene::Scene;

/// A pseudo-terminal: whoever has it as stdin is told that it is a terminal.
pub(crate) fn terminal() -> (File, File) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let name = ptsname(&controller, Vec::new()).unwrap();
    let terminal = open(name, OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    (controller.into(), terminal.into())
}

/// Reads what is shown on a terminal until this text comes.
#[track_caller]
fn read_until(controller: &mut File, text: &str) -> String {
    let (mut shown, mut bytes) = (String::new(), [0; 4096]);
    while !shown.contains(text) {
        let count = controller
            .read(&mut bytes)
            .unwrap_or_else(|error| panic!("{error} after {shown}"));
        shown += &String::from_utf8_lossy(&bytes[..count]);
    }
    shown
}

#[test]
fn who_waits_at_a_terminal_sees_the_place_in_the_queue() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let _holder = scene.start(&["run", "name", "sleep", "30"]);
    scene.await_status("name", 1, 0);
    let _first = scene.start(&["run", "name", "sleep", "30"]);
    scene.await_status("name", 1, 1);
    let (mut controller, terminal) = terminal();

    let _second = Running(
        scene
            .command(&["run", "name", "true"])
            .stderr(terminal)
            .spawn()
            .unwrap(),
    );

    read_until(&mut controller, "waiting for name for 1");
    read_until(&mut controller, ", 2nd of 2");
}

#[test]
fn the_demo_draws_on_a_terminal() {
    let (mut controller, terminal) = terminal();
    let scene = Scene::bare();

    let mut demo = Running(
        scene
            .command(&["demo"])
            .env("TERM", "xterm")
            .stdout(terminal)
            .spawn()
            .unwrap(),
    );

    let shown = read_until(&mut controller, "All of it held.");
    assert!(
        shown.contains("\u{1b}[11A") && shown.contains('█') && shown.contains("lease over"),
        "{shown}"
    );
    assert_eq!(demo.code(), 0);
}
