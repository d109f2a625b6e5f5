//! What a campaign says, in worlds that are right and in worlds that are not.

use std::fs;

use anstream::ColorChoice;
use clap::Parser;
use semafence_sim::ScriptEdit;
use semafence_sim::explore::Plan;

use super::defect::play;
use super::*;
use crate::args::{Args, Command};

const CONSOLE: Console = Console {
    verbosity: Verbosity::Quiet,
    json: false,
    color: ColorChoice::Never,
};

fn args(line: &str) -> SimArgs {
    match Args::try_parse_from(line.split_whitespace()).unwrap().command {
        Command::Sim(args) => args,
        other => panic!("{other:?}"),
    }
}

/// Worlds whose tokens are a plain counter, which a failover that loses writes sets back.
fn counting() -> Options {
    const RULE: &str = "state.gen == generation.base and math.max(state.token + 1, us) or first_token()";
    let edit = ScriptEdit::new(|name, text| {
        assert!(name != "acquire" || text.contains(RULE), "the rule is worded anew");
        text.replace(RULE, "state.token + 1")
    });
    Options {
        edit: Some(edit),
        ..Options::default()
    }
}

fn explored(line: &str, options: Options) -> Verdict {
    let mut verdict = explore(&args(line), options, &CONSOLE).unwrap();
    verdict.wall = Duration::from_secs(1);
    verdict
}

#[test]
fn what_holds_is_counted_and_told() {
    let verdict = explored("semafence sim --seed 1 --runs 5", Options::default());

    let text = verdict.text();
    assert_eq!(exit_code(&verdict), 0, "{text}");
    assert!(text.contains("seeds 1 to 5, all profiles\n"), "{text}");
    assert!(text.ends_with("\nEvery invariant held.\n"), "{text}");
    let object = verdict.object();
    assert_eq!(object["schema"], "semafence/sim/v1");
    assert_eq!((&object["holds"], &object["histories"]), (&true.into(), &5.into()));
    assert!(
        object["marks"]["a free permit was granted"].as_u64() > Some(0),
        "{object}"
    );
}

#[test]
fn the_number_of_jobs_changes_no_result() {
    let of = |jobs: &str| {
        let line = format!("semafence sim --seed 1 --runs 60 --profile failover --no-shrink --jobs {jobs}");
        explored(&line, counting())
    };

    let one = of("1");

    assert!(!one.tally.failed.is_empty());
    for jobs in ["2", "7"] {
        let many = of(jobs);
        assert_eq!(one.tally, many.tally);
        assert_eq!(one.object(), many.object());
        assert_eq!(one.text(), many.text());
    }
}

#[test]
fn a_violation_is_exit_1_with_a_small_plan_and_the_command_that_repeats_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("small.plan");

    let verdict = explored(
        "semafence sim --seed 1 --runs 60 --profile failover --clients 3",
        counting(),
    );

    let finding = verdict.finding.as_ref().unwrap();
    let text = verdict.text();
    assert_eq!(exit_code(&verdict), 1, "{text}");
    let seed = finding.plan.seed;
    let repeat = format!("semafence sim --seed {seed} --profile failover --clients 3");
    assert!(text.ends_with(&format!("\nRepeat: {repeat}\n")), "{text}");
    assert!(
        text.contains(&format!("Broken: {}, seed {seed}, ", finding.defect.invariant)),
        "{text}"
    );
    // The command plays the same run.
    let again = explored(&repeat, counting());
    assert_eq!(again.tally.failed, verdict.tally.failed);
    // The plan, read from what was printed, shows the same defect, and nothing where the world is right.
    let (_, printed) = text.split_once(":\n  seed ").unwrap();
    let (printed, _) = printed.split_once("\n\n").unwrap();
    fs::write(&path, format!("  seed {printed}\n")).unwrap();
    let line = format!("semafence sim --plan {}", path.display());
    let small = explored(&line, counting());
    assert_eq!(small.tally.failed[0].1.invariant, finding.defect.invariant);
    assert!(small.tally.failed[0].0.faults.len() <= 2, "{text}");
    assert_eq!(small.source.repeat(&finding.plan), line);
    assert!(explored(&line, Options::default()).holds());
}

#[test]
fn the_picture_is_that_of_the_small_plan() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("run.svg");

    let line = format!(
        "semafence sim --seed 1 --runs 60 --profile failover --trace --svg {}",
        path.display()
    );
    let verdict = explored(&line, counting());
    gallery::hang(&args(&line), &verdict, &CONSOLE).unwrap();

    let text = verdict.text();
    assert!(text.starts_with("Trace of the shrunk plan:\n"), "{text}");
    let finding = verdict.finding.unwrap();
    let picture = fs::read_to_string(&path).unwrap();
    assert!(finding.shrunk.is_some());
    assert!(picture.contains(&format!(" · clients {} · ", finding.smallest().clients)));
    assert!(picture.contains(finding.defect.invariant) && picture.contains("class=\"moment\""));
}

#[test]
fn a_plan_that_was_made_small_is_told_with_what_it_shows_itself() {
    let verdict = explored("semafence sim --seed 1 --runs 60 --profile failover", counting());

    let (text, object) = (verdict.text(), verdict.object());
    let finding = verdict.finding.unwrap();
    let shrunk = finding.shrunk.unwrap();
    let again = play(&shrunk.plan, &counting());
    assert_eq!(finding.defect.shown_by(again), Some(shrunk.defect.clone()));
    let shows = format!("\nIt shows {} at ", shrunk.defect.invariant);
    assert!(text.contains(&shows) && text.contains(&shrunk.defect.text), "{text}");
    assert_eq!(object["failures"][0]["shrunk"]["text"], shrunk.defect.text);
}

#[cfg(target_os = "linux")]
#[test]
fn a_picture_that_cannot_be_written_takes_no_finding_away() {
    let line = "semafence sim --seed 1 --runs 60 --profile failover --no-shrink --svg /dev/full";
    let line_of_one = "semafence sim --seed 7 --svg /dev/full";

    let broken = explored(line, counting());
    let fine = explored(line_of_one, Options::default());

    let drawn = gallery::hang(&args(line), &broken, &CONSOLE);
    assert_eq!(ended(&broken, drawn).unwrap_err().exit, exit::CHECKS_FAILED);
    let drawn = gallery::hang(&args(line_of_one), &fine, &CONSOLE);
    assert_eq!(ended(&fine, drawn).unwrap_err().exit, exit::CONFIG);
}

#[test]
fn the_plan_of_the_only_run_can_be_seen() {
    let mut one = explored("semafence sim --seed 7", Options::default());
    let several = explored("semafence sim --seed 7 --runs 2", Options::default());

    let plan = Plan::draw(semafence_sim::explore::Profile::of(7), 7).to_string();
    assert_eq!(one.object()["plan"], plan);
    assert!(!one.text().contains("Its plan:"));
    one.is_verbose = true;
    assert!(one.text().contains("\nIts plan:\n  seed 7\n"), "{}", one.text());
    assert!(several.object()["plan"].is_null());
}

#[test]
fn who_keeps_going_is_told_all_that_failed() {
    let line = "semafence sim --seed 1 --runs 60 --profile failover --no-shrink";

    let first = explored(line, counting());
    let all = explored(&format!("{line} --keep-going"), counting());

    assert_eq!(first.tally.failed.len(), 1);
    assert_eq!(all.tally.histories, 60);
    assert!(all.tally.failed.len() > 1);
    assert_eq!(all.tally.failed[0], first.tally.failed[0]);
    for (plan, _) in &all.tally.failed {
        assert!(all.text().contains(&format!("seed {},", plan.seed)), "{}", all.text());
    }
}

#[test]
fn a_run_that_panics_is_told_like_one_that_fails() {
    let edit = ScriptEdit::new(|name, text| match name {
        "release" => "redis.call('SET', 'undeclared', '1')\nreturn {0}".to_owned(),
        _ => text.to_owned(),
    });
    let options = Options {
        edit: Some(edit),
        ..Options::default()
    };

    let verdict = explored("semafence sim --seed 3 --no-shrink --trace", options);

    assert!(verdict.shown.is_none() && verdict.trace.is_none());
    let text = verdict.text();
    assert_eq!(exit_code(&verdict), 1, "{text}");
    assert!(text.contains("Broken: panic, seed 3"), "{text}");
}

#[test]
fn the_trace_is_that_of_the_run_that_is_shown() {
    let line = "semafence sim --seed 1 --trace";

    let verdict = explored(line, Options::default());

    let trace = verdict.trace.as_ref().unwrap();
    assert!(trace.len() > 50, "{}", trace.len());
    assert!(verdict.text().starts_with(&format!("{}\n", trace[0])));
    let several = explored("semafence sim --seed 1 --runs 2 --trace", Options::default());
    assert_eq!(several.trace, None);
}

#[test]
fn faults_of_these_words_only_are_played() {
    let verdict = explored(
        "semafence sim --seed 9 --runs 4 --faults pause,kill",
        Options::default(),
    );

    let (first, _): (Plan, Plan) = verdict.tally.range.clone().unwrap();
    assert_eq!(verdict.tally.histories, 4);
    assert!(!first.faults.is_empty(), "{first}");
    let never = args("semafence sim --profile calm --faults net");
    let failure = explore(&never, Options::default(), &CONSOLE).unwrap_err();
    assert_eq!(failure.exit, exit::USAGE);
}
