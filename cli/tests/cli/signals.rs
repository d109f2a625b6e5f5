//! Signals to the supervisor.

use crate::process::{Signal, line_in};
use crate::scene::Scene;

const FORWARDED: [(&str, Signal); 6] = [
    ("TERM", Signal::TERM),
    ("INT", Signal::INT),
    ("HUP", Signal::HUP),
    ("QUIT", Signal::QUIT),
    ("USR1", Signal::USR1),
    ("USR2", Signal::USR2),
];

#[test]
fn signals_reach_the_command_and_its_answer_is_the_exit_code() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    for (name, signal) in FORWARDED {
        let line = format!("trap 'echo got {name} > got; exit 42' {name}; echo > ready; while :; do sleep 0.05; done");
        let mut run = scene.start(&["run", "name", "-c", &line]);
        line_in_or_empty(&scene, "ready");

        run.send(signal);

        assert_eq!(line_in(&scene.path("got")), format!("got {name}"));
        assert_eq!(run.code(), 42, "{name}");
        std::fs::remove_file(scene.path("got")).unwrap();
        std::fs::remove_file(scene.path("ready")).unwrap();
    }
}

fn line_in_or_empty(scene: &Scene, name: &str) {
    crate::process::eventually(name, || scene.path(name).exists());
}

#[test]
fn a_command_that_a_signal_ends_is_128_more() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    for (signal, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        let mut run = scene.start(&["run", "name", "-c", "echo > ready; exec sleep 30"]);
        line_in_or_empty(&scene, "ready");

        run.send(signal);

        assert_eq!(run.code(), code);
        std::fs::remove_file(scene.path("ready")).unwrap();
        assert_eq!(scene.status("name")["held"], 0);
    }
}

#[test]
fn a_signal_while_waiting_leaves_the_queue_and_runs_nothing() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let _holder = scene.start(&["run", "name", "sleep", "30"]);
    scene.await_status("name", 1, 0);

    for (name, signal) in FORWARDED {
        let mut waiter = scene.start(&["run", "name", "--", "touch", "entered"]);
        scene.await_status("name", 1, 1);

        waiter.send(signal);

        assert_eq!(waiter.code(), 128 + signal.as_raw(), "{name}");
        assert_eq!(scene.status("name")["waiting"], 0, "{name}");
    }
    assert!(!scene.path("entered").exists());
}

#[test]
fn a_signal_during_the_jitter_ends_it() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let mut run = scene.start(&["run", "name", "--jitter", "1h", "true"]);
    // The handlers stand before the jitter begins; nothing tells from the outside when.
    std::thread::sleep(std::time::Duration::from_millis(300));

    run.send(Signal::TERM);

    assert_eq!(run.code(), 143);
}

#[test]
fn what_nohup_ignores_stays_ignored() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let run = format!(
        "trap '' HUP; exec {} run name -c 'echo > ready; sleep 1; exit 5'",
        env!("CARGO_BIN_EXE_semafence")
    );
    let mut command = scene.command(&[]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", &run]).current_dir(scene.path("."));
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            shell.env(name, value);
        }
    }
    command.env_clear();
    let mut run = crate::process::Running(shell.spawn().unwrap());
    line_in_or_empty(&scene, "ready");

    run.send(Signal::HUP);

    assert_eq!(run.code(), 5);
}
