//! Where settings come from, and secrets.

use std::fs;

use xtask::Builder;

use crate::process::stderr;
use crate::scene::Scene;

/// Which port the program went to; nothing listens on these.
fn tried(scene: &Scene, args: &[&str], url: Option<&str>) -> String {
    let mut command = scene.command(args);
    command.arg("ls");
    if let Some(url) = url {
        command.env("SEMAFENCE_URL", url);
    }
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{}", stderr(&output));
    let said = stderr(&output);
    said.split("redis://127.0.0.1:").nth(1).unwrap()[..1].to_owned()
}

#[test]
fn flag_wins_over_environment_over_directory_over_user() {
    let scene = Scene::bare();
    fs::create_dir(scene.path("semafence")).unwrap();

    fs::write(scene.path("semafence/config.toml"), "url = 'redis://127.0.0.1:4/'").unwrap();
    assert_eq!(tried(&scene, &[], None), "4");
    fs::write(scene.path("semafence.toml"), "url = 'redis://127.0.0.1:3/'").unwrap();
    assert_eq!(tried(&scene, &[], None), "3");
    assert_eq!(tried(&scene, &[], Some("")), "3", "set to nothing is not set");
    assert_eq!(tried(&scene, &[], Some("redis://127.0.0.1:2/")), "2");
    assert_eq!(
        tried(&scene, &["--url", "redis://127.0.0.1:1/"], Some("redis://127.0.0.1:2/")),
        "1"
    );
    fs::write(scene.path("other.toml"), "url = 'redis://127.0.0.1:5/'").unwrap();
    assert_eq!(tried(&scene, &["--config", "other.toml"], None), "5");
}

#[test]
fn variables_that_are_set_to_nothing_are_not_set() {
    let scene = Scene::bare();
    let mut command = scene.command(&["ls"]);
    for name in [
        "SEMAFENCE_CONFIG",
        "SEMAFENCE_NAMESPACE",
        "SEMAFENCE_PASSWORD_FILE",
        "SEMAFENCE_PASSWORD",
        "SEMAFENCE_URL",
    ] {
        command.env(name, "");
    }

    let output = command.output().unwrap();

    assert_eq!(output.status.code(), Some(78), "{}", stderr(&output));
    assert!(stderr(&output).contains("no address is set"), "{}", stderr(&output));
}

#[test]
fn a_configuration_that_is_wrong_or_missing_is_78() {
    let scene = Scene::bare();
    assert_eq!(scene.code(&["--config", "missing.toml", "ls"]), 78);
    assert_eq!(
        scene.code(&["--url", "redis://h/", "--password-file", "missing", "ls"]),
        78
    );

    fs::write(scene.path("semafence.toml"), "uri = 'redis://:hunter2@h/'").unwrap();
    let output = scene.output(&["ls"]);

    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(78));
    assert!(
        said.contains("semafence.toml, line 1: unknown field `uri`") && !said.contains("hunter2"),
        "{said}"
    );
}

/// SCENARIOS 43.
#[test]
fn a_password_comes_from_address_environment_or_file_and_is_never_shown() {
    let Some(server) = Builder::any().args(["--requirepass", "hunter2"]).start_or_skip() else {
        return;
    };
    let scene = Scene::bare();
    let (url, port) = (server.url(), server.port());
    fs::write(scene.path("password"), "hunter2\n").unwrap();
    fs::write(scene.path("wrong"), "swordfish").unwrap();

    assert_eq!(
        scene.code(&["--url", &format!("redis://:hunter2@127.0.0.1:{port}/"), "ls"]),
        0
    );
    assert_eq!(scene.code(&["--url", &url, "--password-file", "password", "ls"]), 0);
    let from_environment = scene
        .command(&["--url", &url, "ls"])
        .env("SEMAFENCE_PASSWORD", "hunter2")
        .output()
        .unwrap();
    assert_eq!(from_environment.status.code(), Some(0));
    let wrong = scene.output(&["-vvv", "--url", &url, "--password-file", "wrong", "ls"]);
    assert_eq!(wrong.status.code(), Some(77), "{}", stderr(&wrong));
    assert!(!stderr(&wrong).contains("swordfish"), "{}", stderr(&wrong));
    let none = scene.output(&["--url", &url, "run", "name", "true"]);
    assert_eq!(none.status.code(), Some(77), "{}", stderr(&none));
}

#[test]
fn a_user_without_rights_is_77() {
    let Some((scene, server)) = Scene::with_server() else {
        return;
    };
    server.command(&[
        "ACL", "SETUSER", "guest", "on", ">secret", "+ping", "+hello", "+auth", "+client",
    ]);
    let url = format!("redis://guest:secret@127.0.0.1:{}/", server.port());

    let output = scene.output(&["--url", &url, "run", "name", "true"]);

    assert_eq!(output.status.code(), Some(77), "{}", stderr(&output));
    assert!(!stderr(&output).contains("secret"), "{}", stderr(&output));
}

#[test]
fn namespaces_keep_one_name_apart() {
    let Some((scene, _server)) = Scene::with_server() else {
        return;
    };

    let inner = env!("CARGO_BIN_EXE_semafence");
    let other = [
        "run",
        "name",
        "--",
        inner,
        "--namespace",
        "other",
        "run",
        "--no-wait",
        "name",
        "true",
    ];
    let same = [
        "run",
        "name",
        "--limit",
        "2",
        "--",
        inner,
        "run",
        "--limit",
        "2",
        "--no-wait",
        "name",
        "true",
    ];

    assert_eq!(scene.code(&other), 0);
    assert_eq!(scene.code(&same), 0);
}
