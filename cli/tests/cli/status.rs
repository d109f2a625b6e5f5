//! `semafence status` and `semafence ls`.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::Value;

use crate::process::{Running, stdout};
use crate::scene::Scene;

#[test]
fn status_shows_holders_and_waiters() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let _holder = scene.start(&["run", "printers", "--meta", "job=first", "--ttl", "20s", "sleep", "30"]);
    scene.await_status("printers", 1, 0);
    let _waiter = scene.start(&["run", "printers", "--meta", "job=second", "sleep", "30"]);
    scene.await_status("printers", 1, 1);

    let text = stdout(&scene.output(&["status", "printers"]));
    let object = scene.status("printers");

    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "NAME      HELD/LIMIT  WAITING");
    assert_eq!(lines[1], "printers  1/1         1");
    assert!(lines[4].starts_with("0 ") && lines[4].contains("job=first"), "{text}");
    assert!(lines[7].starts_with("1 ") && lines[7].contains("job=second"), "{text}");
    assert_eq!(object["schema"], "semafence/status/v1");
    assert_eq!(object["namespace"], "semafence");
    assert_eq!(object["limit"], 1);
    assert_eq!(object["holders"][0]["slots"], serde_json::json!([0]));
    assert_eq!(object["holders"][0]["ttl_ms"], 20_000);
    assert!(object["holders"][0]["left_ms"].as_u64().unwrap() <= 20_000);
    assert_eq!(object["holders"][0]["meta"]["job"], "first");
    assert_eq!(object["waiters"][0]["place"], 1);
    assert_eq!(object["waiters"][0]["meta"]["job"], "second");
    let time = object["time"].as_str().unwrap();
    assert!(
        time.ends_with('Z') && time.len() == "2026-01-01T00:00:00.000Z".len(),
        "{time}"
    );
}

#[test]
fn a_name_that_nobody_used_is_free() {
    let Some((scene, server)) = Scene::with_server() else {
        return;
    };

    let text = stdout(&scene.output(&["status", "nobody"]));

    assert_eq!(text, "NAME    HELD/LIMIT  WAITING\nnobody  0/?         0\n");
    assert_eq!(server.command(&["DBSIZE"]).text(), "0", "looking changes nothing");
}

#[test]
fn ls_lists_names_of_a_form() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    for name in ["db-1", "db-2", "printers", "odd {name}"] {
        assert_eq!(scene.code(&["run", name, "--limit", "4", "true"]), 0);
    }
    let _holder = scene.start(&["run", "db-2", "--limit", "4", "sleep", "30"]);
    scene.await_status("db-2", 1, 0);

    let all = stdout(&scene.output(&["ls"]));
    let some: Value = serde_json::from_str(&stdout(&scene.output(&["--json", "ls", "db-?"]))).unwrap();
    let elsewhere = stdout(&scene.output(&["--namespace", "other", "ls"]));

    assert_eq!(
        all,
        "\
NAME        HELD/LIMIT  WAITING
db-1        0/4         0
db-2        1/4         0
odd {name}  0/4         0
printers    0/4         0
"
    );
    assert_eq!(some["schema"], "semafence/ls/v1");
    assert_eq!(
        some["semaphores"],
        serde_json::json!([
            { "name": "db-1", "limit": 4, "held": 0, "waiting": 0 },
            { "name": "db-2", "limit": 4, "held": 1, "waiting": 0 },
        ])
    );
    assert_eq!(elsewhere, "NAME  HELD/LIMIT  WAITING\n");
}

#[test]
fn watching_writes_one_object_a_line_until_nobody_reads() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let mut command = scene.command(&["--json", "status", "name", "--watch=0.05"]);
    let mut watch = Running(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());

    let lines = BufReader::new(watch.0.stdout.take().unwrap()).lines();
    let objects: Vec<Value> = lines
        .take(3)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();

    assert!(objects.iter().all(|object| object["schema"] == "semafence/status/v1"));
    assert_eq!(watch.code(), 141);
    assert_eq!(watch.said(), "");
}
