//! `semafence demo`.

use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::process::stdout;
use crate::scene::Scene;

#[track_caller]
fn assert_told(output: &Output) {
    let text = stdout(output);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for part in [
        "got slot 1 with token",
        "machine stands still",
        "lease is over",
        "refused: token",
        "All of it held.",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");
}

#[test]
fn the_demo_needs_no_server_explains_itself_and_is_short() {
    let started = Instant::now();

    let output = Scene::bare().output(&["demo"]);

    assert_told(&output);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn the_demo_runs_on_a_real_server_beside_what_is_there() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    let output = scene.output(&["demo"]);

    assert_told(&output);
    assert_eq!(stdout(&scene.output(&["ls"])), "NAME  HELD/LIMIT  WAITING\n");
}

#[test]
fn the_verdict_comes_as_an_object_too() {
    let object: Value = serde_json::from_str(&stdout(&Scene::bare().output(&["demo", "--json"]))).unwrap();

    assert_eq!(object["schema"], "semafence/demo/v1");
    assert_eq!(object["holds"], true);
    assert_eq!(object["checks"].as_array().unwrap().len(), 5);
}

#[test]
fn an_unreachable_server_is_no_reason_to_fall_back_to_the_simulator() {
    assert_eq!(Scene::bare().code(&["demo", "--url", "redis://127.0.0.1:1/"]), 69);
}
