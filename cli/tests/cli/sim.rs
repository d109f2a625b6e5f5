//! `semafence sim`.

use std::fs;

use serde_json::Value;

use crate::process::{stderr, stdout};
use crate::scene::Scene;

#[test]
fn runs_on_the_simulator_need_no_server_and_repeat_to_the_letter() {
    let scene = Scene::bare();
    let args = ["sim", "--seed", "7", "--trace"];

    let (first, second) = (scene.output(&args), scene.output(&args));

    let text = stdout(&first);
    assert_eq!(first.status.code(), Some(0), "{text}");
    assert!(text.contains("\nEvery invariant held.\n"), "{text}");
    // All but the time that it took.
    let same = |text: &str| text.split("histories").next().unwrap().to_owned();
    assert_eq!(same(&text), same(&stdout(&second)));
    assert_eq!(stderr(&first), "");
}

#[test]
fn a_seed_comes_from_the_flag_the_environment_or_is_fresh_and_told() {
    let scene = Scene::bare();
    let of = |args: &[&str], seed: Option<&str>| {
        let mut command = scene.command(args);
        command.args(["sim", "--profile", "calm", "--runs", "2", "--json"]);
        if let Some(seed) = seed {
            command.env("SEMAFENCE_SEED", seed);
        }
        let output = command.output().unwrap();
        let object: Value = serde_json::from_str(&stdout(&output)).unwrap();
        assert_eq!(object["schema"], "semafence/sim/v1");
        assert_eq!(object["histories"], 2);
        (object["first_seed"].as_u64().unwrap(), stderr(&output))
    };

    assert_eq!(of(&[], Some("5")), (5, String::new()));
    let (fresh, told) = of(&[], None);
    assert!(told.contains(&format!("seeds from {fresh}")), "{told}");
    let (other, _) = of(&[], Some(""));
    assert_ne!(fresh, other);
    assert_eq!(of(&["-q"], Some("9")).0, 9);
    let output = scene
        .command(&["sim", "--runs", "1"])
        .env("SEMAFENCE_SEED", "x")
        .output();
    assert_eq!(output.unwrap().status.code(), Some(78));
}

#[test]
fn a_plan_is_read_from_a_file_or_from_stdin() {
    let scene = Scene::bare();
    let plan =
        "  seed 1\n  profile failover\n  clients 2\n  until 9000ms\n  4000ms failover lost=500ms detected=700ms\n";
    fs::write(scene.path("a plan"), plan).unwrap();

    let from_file = scene.output(&["sim", "--plan", "a plan"]);
    let stdin = fs::File::open(scene.path("a plan")).unwrap();
    let from_stdin = scene.command(&["sim", "--plan", "-"]).stdin(stdin).output().unwrap();

    for output in [from_file, from_stdin] {
        let text = stdout(&output);
        assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
        assert!(text.contains("seed 1, profile failover, 2 clients, 1 faults"), "{text}");
        assert!(text.contains("a failover lost"), "{text}");
    }
    fs::write(scene.path("broken"), plan.replace("clients", "customers")).unwrap();
    for (path, why) in [("broken", "clients is missing"), ("nowhere", "No such file")] {
        let output = scene.output(&["sim", "--plan", path]);
        assert_eq!(output.status.code(), Some(78), "{path}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

#[test]
fn the_only_run_can_be_looked_at() {
    let scene = Scene::bare();
    let args = [
        "sim", "--seed", "7", "--html", "run.html", "--svg", "run.svg", "--whole",
    ];

    let output = scene.output(&args);

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let page = fs::read_to_string(scene.path("run.html")).unwrap();
    assert!(page.contains("semafence sim --seed 7"), "{page}");
    let picture = fs::read_to_string(scene.path("run.svg")).unwrap();
    assert!(picture.starts_with("<svg ") && page.contains(&picture));
    let several = scene.output(&["sim", "--seed", "7", "--runs", "2", "--svg", "none.svg"]);
    assert_eq!(several.status.code(), Some(0));
    assert!(
        stderr(&several).contains("none of them is shown"),
        "{}",
        stderr(&several)
    );
    assert!(!scene.path("none.svg").exists());
    assert_eq!(scene.code(&["sim", "--seed", "7", "--svg", "no/where.svg"]), 78);
}

#[test]
fn unknown_words_are_usage_errors_that_name_the_known_ones() {
    let scene = Scene::bare();

    for (args, known) in [
        (["sim", "--faults", "net,sabotage"], "failover, kill, memory, net"),
        (["sim", "--profile", "storm"], "failover, lapses, memory, network"),
    ] {
        let output = scene.output(&args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(stderr(&output).contains(known), "{}", stderr(&output));
    }
    let cases: [&[&str]; 8] = [
        &["--seed", "-1"],
        &["--runs", "0"],
        &["--clients", "65"],
        &["--jobs", "0"],
        &["--minutes", "0"],
        &["--runs", "3", "--minutes", "1"],
        &["--plan", "-", "--seed", "3"],
        &["--profile", "calm", "--faults", "net", "--seed", "1"],
    ];
    for args in cases {
        let output = scene.command(&["sim"]).args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(64), "{args:?}");
    }
}

#[test]
fn a_campaign_ends_when_its_time_is_up() {
    let output = Scene::bare().output(&["sim", "--minutes", "0.005", "--seed", "1", "--json"]);

    let object: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(output.status.code(), Some(0), "{object}");
    assert!(object["histories"].as_u64() > Some(0), "{object}");
    assert!(object["wall_ms"].as_u64() >= Some(300), "{object}");
}
