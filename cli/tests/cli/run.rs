//! `semafence run`: what the command gets, and what comes back.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::process::{Signal, eventually, pid_in, stderr, stdout};
use crate::scene::Scene;

const SEMAFENCE: &str = env!("CARGO_BIN_EXE_semafence");

#[test]
fn the_exit_code_is_the_commands_own() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    assert_eq!(scene.code(&["run", "name", "true"]), 0);
    assert_eq!(scene.code(&["run", "name", "-c", "exit 7"]), 7);
    assert_eq!(scene.code(&["run", "name", "--", "sh", "-c", "kill -KILL $$"]), 128 + 9);
    assert_eq!(scene.code(&["run", "name", "/etc/passwd"]), 126);
    assert_eq!(scene.code(&["run", "name", "no-such-command"]), 127);
    assert_eq!(scene.status("name")["held"], 0);
}

#[test]
fn the_command_has_stdin_arguments_and_stdout_unchanged() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let mut command = scene.command(&[
        "run",
        "name",
        "--",
        "sh",
        "-c",
        "cat; echo \"$@\"",
        "sh",
        "a b",
        "--limit",
        "-x",
    ]);

    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"from outside\n").unwrap();

    let output = child.wait_with_output().unwrap();
    assert_eq!(stdout(&output), "from outside\na b --limit -x\n");
}

#[test]
fn the_command_finds_its_permit_in_the_environment() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let args = ["run", "my name", "--limit", "5", "--permits", "2", "--ttl", "9s", "env"];

    let output = scene
        .command(&args)
        .env("SEMAFENCE_TOKEN", "inherited")
        .output()
        .unwrap();

    let text = stdout(&output);
    let variables: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.split_once('=')).collect();
    assert_eq!(variables["SEMAFENCE_HELD"], "1");
    assert_eq!(variables["SEMAFENCE_NAME"], "my name");
    assert_eq!(variables["SEMAFENCE_SLOT"], "0");
    assert_eq!(variables["SEMAFENCE_SLOTS"], "0,1");
    assert_eq!(variables["SEMAFENCE_LIMIT"], "5");
    assert_eq!(variables["SEMAFENCE_TTL_MS"], "9000");
    assert_eq!(variables["SEMAFENCE_HOLDER"].len(), 32);
    assert!(variables["SEMAFENCE_TOKEN"].parse::<u64>().unwrap() > 0);
}

#[test]
fn tokens_grow_from_run_to_run() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    let token = || {
        stdout(&scene.output(&["run", "name", "-c", "echo $SEMAFENCE_TOKEN"]))
            .trim()
            .parse::<u64>()
            .unwrap()
    };

    let (first, second) = (token(), token());
    assert!(first < second, "{first} {second}");
}

#[test]
fn without_a_permit_in_time_the_exit_code_is_75_or_as_chosen() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let _holder = scene.start(&["run", "name", "--meta", "job=first", "--", "sleep", "30"]);
    scene.await_status("name", 1, 0);

    let started = Instant::now();
    let output = scene.output(&["run", "name", "--no-wait", "--", "touch", "entered"]);
    assert_eq!(output.status.code(), Some(75));
    assert!(stderr(&output).contains("held by command=sleep"), "{}", stderr(&output));
    assert!(stderr(&output).contains("job=first"), "{}", stderr(&output));
    assert_eq!(
        scene.code(&["run", "name", "--wait", "0", "--", "touch", "entered"]),
        75
    );
    assert_eq!(
        scene.code(&["run", "name", "-w", "0.2", "-E", "5", "--", "touch", "entered"]),
        5
    );
    assert_eq!(stderr(&scene.output(&["-q", "run", "name", "--no-wait", "true"])), "");

    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(!scene.path("entered").exists());
    assert_eq!(scene.status("name")["waiting"], 0);
}

#[test]
fn a_waiting_run_starts_when_the_holder_ends_with_each_strategy() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    for strategy in ["queue", "notify", "poll"] {
        let mut holder = scene.start(&["run", strategy, "-c", "echo $$ > pid; exec sleep 30"]);
        let holding = pid_in(&scene.path("pid"));
        let mut waiter = scene.start(&["run", strategy, "--strategy", strategy, "true"]);
        std::thread::sleep(Duration::from_millis(300));
        assert!(!waiter.has_ended(), "{strategy}");

        crate::process::send(holding, Signal::TERM);

        assert_eq!(holder.code(), 128 + 15, "{strategy}");
        assert_eq!(waiter.code(), 0, "{strategy}");
        std::fs::remove_file(scene.path("pid")).unwrap();
    }
}

#[test]
fn a_run_inside_itself_is_refused_at_any_depth() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    let direct = ["run", "name", "--", SEMAFENCE, "run", "name", "true"];
    let deep = [
        "run", "name", "--", SEMAFENCE, "run", "other", "--", SEMAFENCE, "run", "name", "true",
    ];

    for args in [&direct[..], &deep] {
        let output = scene.output(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(stderr(&output).contains("would wait for itself"), "{}", stderr(&output));
    }
    assert_eq!(scene.code(&["run", "name", "--", SEMAFENCE, "run", "other", "true"]), 0);
}

#[test]
fn settings_that_cannot_hold_are_78() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let cases: [&[&str]; 6] = [
        &["--ttl", "3s", "--kill-after", "2s"],
        &["--ttl", "1ms"],
        &["--limit", "0"],
        &["--limit", "2", "--permits", "3"],
        &["--permits", "0"],
        &["--meta", &format!("note={}", "x".repeat(1100))],
    ];

    for options in cases {
        let args = [&["run", "name"], options, &["--", "touch", "entered"]].concat();
        let output = scene.output(&args);
        assert_eq!(output.status.code(), Some(78), "{options:?} {}", stderr(&output));
    }
    assert_eq!(scene.code(&["run", "", "true"]), 78);
    assert!(!scene.path("entered").exists());
}

#[test]
fn the_permit_is_kept_until_the_whole_group_is_gone() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let started = Instant::now();

    let mut run = scene.start(&["run", "name", "-c", "sleep 0.7 & exit 3"]);
    scene.await_status("name", 1, 0);

    assert_eq!(run.code(), 3);
    assert!(
        started.elapsed() >= Duration::from_millis(700),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(scene.status("name")["held"], 0);
}

#[test]
fn a_short_command_is_held_at_least_as_long_as_asked() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let started = Instant::now();

    let mut run = scene.start(&["run", "name", "--min-hold", "0.8", "true"]);
    scene.await_status("name", 1, 0);
    let refused = scene.code(&["run", "name", "--no-wait", "true"]);

    assert_eq!(refused, 75);
    assert_eq!(run.code(), 0);
    assert!(
        started.elapsed() >= Duration::from_millis(800),
        "{:?}",
        started.elapsed()
    );
}

#[test]
fn jitter_delays_the_start_by_less_than_its_length() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    let started = Instant::now();
    assert_eq!(scene.code(&["run", "name", "--jitter", "0.3", "true"]), 0);

    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn a_limit_lets_so_many_in_and_no_more() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let _holders: Vec<_> = (0..3)
        .map(|_| scene.start(&["run", "name", "--limit", "3", "sleep", "30"]))
        .collect();
    scene.await_status("name", 3, 0);

    assert_eq!(scene.code(&["run", "name", "--limit", "3", "--no-wait", "true"]), 75);
    assert_eq!(scene.status("name")["limit"], 3);
}

#[test]
fn a_killed_command_frees_the_permit_at_once() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let mut holder = scene.start(&["run", "name", "--ttl", "1h", "-c", "echo $$ > pid; exec sleep 30"]);
    let pid = pid_in(&scene.path("pid"));

    crate::process::send(pid, Signal::KILL);

    assert_eq!(holder.code(), 128 + 9);
    eventually("a free permit", || {
        scene.code(&["run", "name", "--no-wait", "true"]) == 0
    });
}

#[test]
fn each_step_is_said_where_asked_for() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    let quiet = scene.output(&["run", "name", "true"]);
    let verbose = scene.output(&["-v", "run", "name", "true"]);
    let json = scene.output(&["-v", "--json", "run", "name", "true"]);

    assert_eq!(stderr(&quiet), "");
    assert!(stderr(&verbose).contains("acquired name after") && stderr(&verbose).contains("released"));
    for line in stderr(&json).lines() {
        let object: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(object["level"], "info");
    }
}

/// SCENARIOS 40.
#[test]
fn a_limit_that_another_program_counts_otherwise_is_said() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    scene.output(&["run", "name", "true"]);

    let other = scene.output(&["run", "--limit", "2", "name", "true"]);
    let same = scene.output(&["run", "--limit", "2", "name", "true"]);

    let said = "name has a limit of 2 here, but 1 elsewhere: each counts by its own";
    assert!(
        other.status.success() && stderr(&other).contains(said),
        "{}",
        stderr(&other)
    );
    assert_eq!(stderr(&same), "");
}

#[test]
fn a_grant_that_too_few_replicas_have_starts_nothing_and_is_given_back() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    let output = scene.output(&["run", "--acks", "1", "--ttl", "1s", "name", "touch", "entered"]);

    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert!(
        said.contains("0 of 1 replicas acknowledged the grant of name"),
        "{said}"
    );
    assert!(said.contains("do they keep up?"), "{said}");
    assert!(!scene.path("entered").exists());
    scene.await_status("name", 0, 0);
}

#[test]
fn with_a_grace_a_server_that_is_new_lets_nobody_in_at_first() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };
    let run = |name: &str, grace: &str| scene.code(&["run", "--no-wait", "--failover-grace", grace, name, "true"]);

    assert_eq!(run("name", "20s"), 75);
    assert_eq!(run("other", "0"), 0);
    assert_eq!(run("other", "1s"), 78, "shorter than the ttl");
}
