//! Supervisors and guards that are killed.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, kill_process_group};

use crate::process::{Running, Signal, children_of, eventually, pid_in, runs, send};
use crate::scene::Scene;
use crate::terminal::terminal;

/// A command with a child and a grandchild, all of which ignore whatever can be ignored.
const FAMILY: &str = "\
trap '' TERM HUP INT
(echo $(exec sh -c 'echo $PPID') > child; sleep 300 & echo $! > grandchild; wait) &
echo $$ > command
wait";

const AT_ONCE: Duration = Duration::from_secs(1);

fn family(scene: &Scene) -> [u32; 3] {
    ["command", "child", "grandchild"].map(|name| pid_in(&scene.path(name)))
}

#[track_caller]
fn assert_gone(family: [u32; 3]) {
    let took = eventually("the end of the family", || !family.iter().any(|&pid| runs(pid)));
    assert!(took < AT_ONCE, "{took:?}");
}

#[test]
fn a_killed_supervisor_leaves_no_orphan() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let run = scene.start(&["run", "name", "-c", FAMILY]);
    let family = family(&scene);

    run.send(Signal::KILL);

    assert_gone(family);
}

#[test]
fn a_killed_process_group_of_the_supervisor_leaves_no_orphan() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let run = Running(
        scene
            .command(&["run", "name", "-c", FAMILY])
            .process_group(0)
            .spawn()
            .unwrap(),
    );
    let family = family(&scene);

    kill_process_group(Pid::from_child(&run.0), Signal::KILL).unwrap();

    assert_gone(family);
}

#[test]
fn a_killed_guard_takes_the_command_with_it_and_frees_the_permit() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let mut run = scene.start(&["run", "name", "--ttl", "1h", "-c", FAMILY]);
    let family = family(&scene);
    let guard = children_of(run.pid());
    assert_eq!(guard.len(), 1);

    send(guard[0], Signal::KILL);

    assert_gone(family);
    assert_eq!(run.code(), 70);
    assert_eq!(scene.status("name")["held"], 0);
}

#[test]
fn signals_do_not_end_a_guard() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let mut run = scene.start(&["run", "name", "-c", "echo > ready; sleep 1; exit 3"]);
    eventually("the command", || scene.path("ready").exists());
    let guard = children_of(run.pid())[0];

    for signal in [
        Signal::TERM,
        Signal::INT,
        Signal::HUP,
        Signal::QUIT,
        Signal::USR1,
        Signal::USR2,
    ] {
        send(guard, signal);
    }

    assert_eq!(run.code(), 3);
}

/// On a terminal the command shares the group of the supervisor and its pipeline.
#[test]
fn on_a_terminal_no_orphan_is_left_either_and_neighbours_live_on() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let (_controller, terminal) = terminal();
    let mut command = scene.command(&["run", "name", "-c", FAMILY]);
    let run = Running(command.stdin(terminal).process_group(0).spawn().unwrap());
    let group = i32::try_from(run.pid()).unwrap();
    let neighbour = Running(
        Command::new("sleep")
            .arg("60")
            .stdin(Stdio::null())
            .process_group(group)
            .spawn()
            .unwrap(),
    );
    let family = family(&scene);

    run.send(Signal::KILL);

    assert_gone(family);
    assert!(runs(neighbour.pid()));
}

#[test]
fn on_a_terminal_signals_reach_the_command_and_not_its_neighbours() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let (_controller, terminal) = terminal();
    let line = "trap 'exit 42' TERM; echo > ready; while :; do sleep 0.05; done";
    let mut run = Running(
        scene
            .command(&["run", "name", "-c", line])
            .stdin(terminal)
            .process_group(0)
            .spawn()
            .unwrap(),
    );
    let group = i32::try_from(run.pid()).unwrap();
    let neighbour = Running(
        Command::new("sleep")
            .arg("60")
            .stdin(Stdio::null())
            .process_group(group)
            .spawn()
            .unwrap(),
    );
    eventually("the command", || scene.path("ready").exists());

    run.send(Signal::TERM);

    assert_eq!(run.code(), 42);
    assert!(runs(neighbour.pid()));
}
