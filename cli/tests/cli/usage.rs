//! The command line itself.

use crate::process::{stderr, stdout};
use crate::scene::Scene;

#[test]
fn usage_errors_are_64_and_help_is_an_answer() {
    let scene = Scene::bare();
    let cases: [&[&str]; 9] = [
        &[],
        &["nonsense"],
        &["run"],
        &["run", "name"],
        &["run", "name", "--wait", "soon", "true"],
        &["run", "name", "--wait", "1", "--no-wait", "true"],
        &["run", "name", "-c", "true", "true"],
        &["run", "name", "--meta", "novalue", "true"],
        &["-q", "-v", "ls"],
    ];

    for args in cases {
        assert_eq!(scene.code(args), 64, "{args:?}");
    }
    for args in [&["--help"][..], &["--version"], &["run", "--help"], &["help", "run"]] {
        let output = scene.output(args);
        assert_eq!(
            (output.status.code(), stderr(&output).as_str()),
            (Some(0), ""),
            "{args:?}"
        );
    }
}

#[test]
fn help_lists_the_commands_that_exist_and_no_hidden_one() {
    let help = stdout(&Scene::bare().output(&["--help"]));

    for command in ["demo", "run", "status", "ls", "sim"] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} in {help}");
    }
    assert!(!help.contains("__"), "{help}");
}

#[test]
fn without_a_command_the_help_is_shown_also_where_the_environment_names_a_server() {
    let scene = Scene::bare();

    let output = scene
        .command(&[])
        .env("SEMAFENCE_URL", "redis://127.0.0.1/")
        .output()
        .unwrap();

    assert_eq!(output.status.code(), Some(64));
    let help = stderr(&output);
    assert!(help.contains("\n  status ") && !help.contains("__"), "{help}");
}

/// SCENARIOS 43.
#[test]
fn help_does_not_show_what_the_environment_holds() {
    let scene = Scene::bare();

    for args in [["--help", "--help"], ["run", "--help"], ["help", "run"]] {
        let output = scene
            .command(&args)
            .env("SEMAFENCE_URL", "redis://u:hunter2@h/")
            .output()
            .unwrap();
        assert!(!stdout(&output).contains("hunter2"), "{}", stdout(&output));
    }
}

#[test]
fn a_command_without_an_address_says_how_to_start_a_server() {
    let scene = Scene::bare();

    for args in [
        &["run", "name", "true"][..],
        &["status", "name"],
        &["ls"],
        &["--url", "sim://", "ls"],
    ] {
        let output = scene.output(args);
        assert_eq!(output.status.code(), Some(78), "{args:?}");
        assert!(stderr(&output).contains("redis-server"), "{}", stderr(&output));
    }
}

#[test]
fn servers_of_a_quorum_that_are_not_there_are_69_and_each_is_named() {
    let scene = Scene::bare();

    let output = scene.output(&[
        "--url",
        "quorum://jobs:hunter2@127.0.0.1:1,127.0.0.1:2,127.0.0.1:3",
        "ls",
    ]);

    assert_eq!(output.status.code(), Some(69));
    let said = stderr(&output);
    for server in ["127.0.0.1:1: ", "127.0.0.1:2: ", "127.0.0.1:3: "] {
        assert!(said.contains(server), "{said}");
    }
    assert!(
        said.contains("0 of 3 servers answered, 2 are needed") && !said.contains("hunter2"),
        "{said}"
    );
}

#[test]
fn sentinels_that_are_not_there_are_69_and_are_named() {
    let scene = Scene::bare();

    let url = "redis-sentinel://127.0.0.1:1/?node=127.0.0.1:2&sentinelServiceName=orders&sentinelPassword=hunter2";
    let output = scene.output(&["--url", url, "ls"]);

    assert_eq!(output.status.code(), Some(69));
    for told in [
        "`orders`",
        "cannot connect to 127.0.0.1:1: ",
        "cannot connect to 127.0.0.1:2: ",
    ] {
        assert!(stderr(&output).contains(told), "{}", stderr(&output));
    }
    assert!(!stderr(&output).contains("hunter2"), "{}", stderr(&output));
}

#[test]
fn an_unreachable_server_is_69_and_is_named() {
    let scene = Scene::bare();

    for args in [&["run", "name", "true"][..], &["status", "name"], &["ls"]] {
        let output = scene
            .command(args)
            .env("SEMAFENCE_URL", "redis://u:hunter2@127.0.0.1:1/")
            .output()
            .unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(69), "{args:?} {said}");
        assert!(
            said.contains("redis://u:***@127.0.0.1:1/") && !said.contains("hunter2"),
            "{said}"
        );
        assert!(said.contains("TLS (rediss://)"), "{said}");
    }
}

#[test]
fn errors_are_objects_where_that_was_asked_for() {
    let output = Scene::bare().output(&["--json", "ls"]);

    let object: serde_json::Value = serde_json::from_str(&stderr(&output)).unwrap();
    assert_eq!(object["schema"], "semafence/message/v1");
    assert_eq!(object["level"], "error");
    assert_eq!(object["exit_code"], 78);
    assert_eq!(stdout(&output), "");
}

#[test]
fn a_database_that_is_not_there_is_a_wrong_address() {
    let Some((scene, server)) = Scene::with_server() else {
        return;
    };

    let output = scene.output(&["ls", "--url", &format!("{}99", server.url())]);

    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("DB index is out of range"),
        "{}",
        stderr(&output)
    );
}
