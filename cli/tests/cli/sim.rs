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
        assert!(
            text.contains("seed 1, profile failover, 2 clients, 1 fault\n"),
            "{text}"
        );
        assert!(text.contains("a failover lost"), "{text}");
    }
    fs::write(scene.path("broken"), plan.replace("clients", "customers")).unwrap();
    for (path, why) in [("broken", "line 3: clients is missing"), ("nowhere", "No such file")] {
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
}

#[test]
fn a_picture_that_cannot_be_written_is_refused_before_the_first_run() {
    let scene = Scene::bare();
    let unending = ["sim", "--minutes", "1000"];

    for (pictures, code) in [
        (&["--svg", "no/where.svg"][..], 78),
        (&["--html", "."], 78),
        (&["--html", "run", "--svg", "./run"], 64),
    ] {
        let output = scene.command(&unending).args(pictures).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_picture_that_cannot_be_written_after_all_takes_no_answer_away() {
    let output = Scene::bare().output(&["sim", "--seed", "7", "--svg", "/dev/full"]);

    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(78), "{said}");
    assert!(said.contains("cannot write /dev/full"), "{said}");
    assert!(stdout(&output).contains("Every invariant held."), "{}", stdout(&output));
}

#[test]
fn an_address_that_is_set_for_others_is_not_minded() {
    let scene = Scene::bare();
    let mut command = scene.command(&["sim", "--seed", "7"]);

    let output = command.env("SEMAFENCE_URL", "nonsense").output().unwrap();

    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[test]
fn a_seed_whose_faults_do_not_fit_gives_way_to_the_next_and_that_is_told() {
    let output = Scene::bare().output(&["sim", "--seed", "1", "--faults", "pause, kill,pause"]);

    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(0), "{said}");
    let (_, played) = said.split_once("seed 1 has other faults; seed ").expect(&said);
    let (played, _) = played.split_once(' ').expect(&said);
    assert!(
        stdout(&output).contains(&format!("seed {played}, profile ")),
        "{}",
        stdout(&output)
    );
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
    for (option, value, range) in [
        ("--seed", "-1", "from 0 to 18446744073709551615"),
        ("--runs", "0", "from 1 to 18446744073709551615"),
        ("--runs", "-1", "from 1 to 18446744073709551615"),
        ("--clients", "65", "from 1 to 64"),
        ("--jobs", "0", "from 1 to 1024"),
        ("--jobs", "1025", "from 1 to 1024"),
        ("--minutes", "0", "above 0, at most 527040"),
        ("--minutes", "-1", "above 0, at most 527040"),
    ] {
        let output = scene.output(&["sim", option, value]);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(64), "{option} {value}");
        assert!(said.contains(option) && said.contains(range), "{said}");
    }
    let cases: [&[&str]; 3] = [
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
