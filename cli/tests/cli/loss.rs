//! A lease that cannot be kept.

use std::fs;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::process::{Signal, eventually, line_in, pid_in, runs, send};
use crate::scene::Scene;

const TTL: Duration = Duration::from_millis(1500);

/// A command that notes SIGTERM and does not end by it.
const STUBBORN: &str = "trap 'echo > term' TERM; echo $$ > pid; while :; do sleep 0.02; done";

#[test]
fn a_hung_server_stops_the_command_before_its_lease_can_end() {
    let Some((scene, server)) = Scene::with_server() else {
        return;
    };
    let mut run = scene.start(&["run", "name", "--ttl", "1500ms", "-c", STUBBORN]);
    let pid = pid_in(&scene.path("pid"));

    let stopped = Instant::now();
    server.stop();
    eventually("SIGTERM", || scene.path("term").exists());
    let terminated = stopped.elapsed();
    eventually("SIGKILL", || !runs(pid));
    let killed = stopped.elapsed();
    server.cont();

    // The last good refresh was sent before the server stopped, up to a third of the ttl.
    assert!(terminated >= TTL / 3 - Duration::from_millis(50), "{terminated:?}");
    assert!(killed < TTL, "{killed:?}");
    assert!(killed > terminated, "{terminated:?} {killed:?}");
    assert_eq!(run.code(), 79);
    assert!(run.said().contains("could not be renewed in time"));
}

#[test]
fn a_command_that_obeys_sigterm_is_not_killed_and_the_code_can_be_chosen() {
    let Some((scene, server)) = Scene::with_server() else {
        return;
    };
    let line = "trap 'echo clean > out; exit 0' TERM; echo > ready; while :; do sleep 0.02; done";
    let mut run = scene.start(&["run", "name", "--ttl", "1500ms", "--lost-exit-code", "9", "-c", line]);
    eventually("the command", || scene.path("ready").exists());

    server.stop();

    assert_eq!(line_in(&scene.path("out")), "clean");
    assert_eq!(run.code(), 9);
}

#[test]
fn a_permit_taken_by_force_stops_the_command() {
    let Some((scene, server)) = Scene::with_server() else {
        return;
    };
    let mut run = scene.start(&["run", "name", "--ttl", "1500ms", "-c", STUBBORN]);
    let pid = pid_in(&scene.path("pid"));

    server.command(&["FLUSHALL"]);

    eventually("its end", || !runs(pid));
    assert_eq!(run.code(), 79);
    assert!(run.said().contains("the lease of name was lost"));
}

#[test]
fn a_command_may_be_told_to_go_on() {
    let Some((scene, server)) = Scene::with_server() else {
        return;
    };
    let line = "echo $$ > pid; sleep 2.5; exit 4";
    let mut run = scene.start(&["run", "name", "--ttl", "1s", "--on-lost", "continue", "-c", line]);
    let pid = pid_in(&scene.path("pid"));

    server.command(&["FLUSHALL"]);
    sleep(Duration::from_secs(2));

    assert!(runs(pid));
    assert_eq!(run.code(), 4);
    assert!(run.said().contains("goes on as asked"));
}

#[test]
fn a_short_outage_stops_nothing() {
    let Some((scene, server)) = Scene::with_server() else {
        return;
    };
    let mut run = scene.start(&["run", "name", "--ttl", "3s", "-c", "echo > ready; sleep 4; exit 6"]);
    eventually("the command", || scene.path("ready").exists());

    server.stop();
    sleep(Duration::from_millis(900));
    server.cont();

    assert_eq!(run.code(), 6);
    assert_eq!(run.said(), "");
}

/// SCENARIOS 37.
#[test]
fn a_stopped_supervisor_does_not_keep_the_command_alive_beyond_its_lease() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let mut stopped = scene.start(&["run", "name", "--ttl", "1500ms", "-c", STUBBORN]);
    let pid = pid_in(&scene.path("pid"));
    let check = format!("kill -0 {pid} 2>/dev/null && echo together > verdict || echo alone > verdict");
    let mut next = scene.start(&["run", "name", "-c", &check]);
    scene.await_status("name", 1, 1);

    stopped.send(Signal::STOP);
    let took = eventually("the end of the command", || !runs(pid));

    assert!(took < TTL, "{took:?}");
    assert_eq!(next.code(), 0);
    assert_eq!(fs::read_to_string(scene.path("verdict")).unwrap(), "alone\n");
    stopped.send(Signal::CONT);
    assert_eq!(stopped.code(), 79);
}

#[test]
fn supervisor_and_guard_stopped_together_kill_the_command_when_they_wake() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let mut run = scene.start(&[
        "run",
        "name",
        "--ttl",
        "1s",
        "-c",
        "trap '' TERM; echo $$ > pid; while :; do sleep 0.02; done",
    ]);
    let pid = pid_in(&scene.path("pid"));
    let guard = crate::process::children_of(run.pid())[0];

    run.send(Signal::STOP);
    send(guard, Signal::STOP);
    sleep(Duration::from_millis(1300));
    assert!(runs(pid));
    // The supervisor alone wakes: it must not rely on its guard.
    run.send(Signal::CONT);
    let took = eventually("the end of the command", || !runs(pid));
    send(guard, Signal::CONT);

    assert!(took < Duration::from_millis(500), "{took:?}");
    assert_eq!(run.code(), 79);
}

#[test]
fn a_guard_that_stays_stopped_is_not_waited_for() {
    let Some((scene, server)) = Scene::with_server() else {
        return;
    };
    let mut run = scene.start(&["run", "name", "--ttl", "1s", "-c", STUBBORN]);
    // As early as possible: the guard may not have told yet what it started.
    let pid = pid_in(&scene.path("pid"));
    let guard = crate::process::children_of(run.pid())[0];
    send(guard, Signal::STOP);

    server.stop();
    let took = eventually("the end of the command", || !runs(pid));

    // The supervisor alone knows only that the lease is over, and kills then.
    assert!(took < Duration::from_millis(1500), "{took:?}");
    assert_eq!(run.code(), 79);
    // The end of its parent wakes a stopped guard, as the kernel does for orphaned groups; then it ends too.
    assert!(run.said().contains("could not be killed"));
    eventually("the end of the guard", || !runs(guard));
}
