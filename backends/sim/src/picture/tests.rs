//! What is in a picture, and that it is well formed and self-contained.

use std::time::Duration;

use super::{Options, html, svg};
use crate::ScriptEdit;
use crate::check::{Invariant, Report, Violation};
use crate::explore::{Outcome, Plan, Profile, run, run_edited};
use crate::history::{History, What};

fn played(profile: Profile, seed: u64) -> (Outcome, Options) {
    let plan = Plan::draw(profile, seed);
    let outcome = run(&plan);
    let options = Options {
        plan: Some(plan),
        ..Options::default()
    };
    (outcome, options)
}

fn whole(options: Options) -> Options {
    Options { whole: true, ..options }
}

fn violation(at_ms: u64, ops: Vec<u64>) -> Violation {
    Violation {
        at: Duration::from_millis(at_ms),
        invariant: Invariant::ExclusiveSlot,
        text: "<script>alert(1)</script> & \"more\"".to_owned(),
        ops,
    }
}

/// Whether each tag that is opened is closed, in order, and no text is cut off.
#[track_caller]
fn assert_balanced(text: &str) {
    const VOID: [&str; 2] = ["meta", "!DOCTYPE"];
    let mut open: Vec<&str> = Vec::new();
    for piece in text.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("a tag ends");
        let name = tag.split([' ', '/']).find(|word| !word.is_empty()).unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') && !VOID.contains(&name) {
            open.push(name);
        }
        assert!(tag.matches('"').count().is_multiple_of(2), "{tag}");
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[track_caller]
fn assert_self_contained(text: &str) {
    let elsewhere = text.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for reference in ["http", "<script", "src=", "@import", "<link", "url(h", "url(/"] {
        assert!(!elsewhere.contains(reference), "{reference}");
    }
}

#[test]
fn every_permit_has_a_bar_on_each_of_its_slots() {
    let (outcome, options) = played(Profile::Everything, 14);

    let picture = svg(&outcome.history, &outcome.report, &whole(options));

    let mut permits = 0;
    for event in &outcome.history.events {
        if let What::Granted { op, slots, .. } = &event.what {
            permits += 1;
            let bars = picture.lines().filter(|line| line.contains("class=\"bar c"));
            let its = bars.filter(|line| line.contains(&format!("<title>#{op} of client ")));
            assert_eq!(its.count(), slots.len(), "#{op}");
        }
    }
    assert!(permits > 5, "{permits}");
}

#[test]
fn every_kind_of_run_is_well_formed_and_self_contained() {
    for profile in Profile::ALL {
        let (outcome, options) = played(profile, 5);
        for options in [options.clone(), whole(options)] {
            let page = html(&outcome.history, &outcome.report, &options);

            assert_balanced(&page);
            assert_self_contained(&page);
            assert!(page.contains(&format!("profile {profile}")));
        }
    }
}

#[test]
fn a_violation_is_told_in_red_on_what_it_involves_and_escaped() {
    let (mut outcome, options) = played(Profile::Calm, 3);
    let granted = outcome.history.events.iter().find_map(|event| match &event.what {
        What::Granted { op, .. } => Some((event.at, *op)),
        _ => None,
    });
    let (at, op) = granted.unwrap();
    let at_ms = u64::try_from(at.as_millis()).unwrap() + 1;
    outcome.report.violations.push(violation(at_ms, vec![op]));
    let options = Options {
        repeat: Some("semafence sim --plan 'a<b'".to_owned()),
        ..options
    };

    let page = html(&outcome.history, &outcome.report, &options);

    let told = "exclusive-slot: &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;more&quot;";
    assert!(
        page.matches(told).count() >= 3,
        "in the picture, at its moment, in the report"
    );
    assert!(page.contains("class=\"moment\""));
    let blamed = page.split("class=\"blamed\"").nth(1).unwrap();
    assert!(
        blamed.starts_with(&format!("><title>#{op} of client ")),
        "{}",
        &blamed[..60]
    );
    assert!(page.contains("semafence sim --plan &#39;a&lt;b&#39;"));
    assert_balanced(&page);
    assert_self_contained(&page);
}

#[test]
fn the_picture_shows_the_time_around_the_first_violation_unless_asked_for_all() {
    let (mut outcome, options) = played(Profile::Calm, 3);
    outcome.report.violations.push(violation(30_000, Vec::new()));

    let near = svg(&outcome.history, &outcome.report, &options);
    let all = svg(&outcome.history, &outcome.report, &whole(options));

    let bars = |picture: &str| picture.matches("<title>#").count();
    assert!(near.contains("28.5 s to 31.5 s of "), "{}", &near[..400]);
    assert!(bars(&near) < bars(&all));
    assert!(all.contains("0.0 s to "));
}

#[test]
fn two_that_were_granted_one_slot_by_a_wrong_script_are_told_apart() {
    let edit = ScriptEdit::new(|_, text| text.replace("now + ttl", "now + ttl / 20"));
    let two = |plan: Plan| {
        let report = run_edited(&plan, &edit).report;
        let mut violations = report.violations.into_iter();
        let exclusive = violations.find(|one| one.invariant == Invariant::ExclusiveSlot);
        exclusive.map(|one| (plan, one.ops))
    };
    let (plan, ops) = (1..60).find_map(|seed| two(Plan::draw(Profile::Calm, seed))).unwrap();
    let outcome = run_edited(&plan, &edit);

    let picture = svg(&outcome.history, &outcome.report, &whole(Options::default()));

    assert!(picture.contains("class=\"clash\""));
    for op in ops {
        assert!(
            picture.contains(&format!("class=\"blamed\"><title>#{op} of client ")),
            "#{op}"
        );
    }
}

#[test]
fn a_holder_that_a_violation_names_is_shown_by_its_number() {
    let (mut outcome, options) = played(Profile::Calm, 3);
    let granted = outcome.history.events.iter().find_map(|event| match &event.what {
        What::Granted { op, holder, .. } => Some((*op, *holder)),
        _ => None,
    });
    let (op, holder) = granted.unwrap();
    let named = Violation {
        text: format!("{holder} is in the way"),
        ..violation(9_000, Vec::new())
    };
    outcome.report.violations.push(named);

    let page = html(&outcome.history, &outcome.report, &options);

    assert!(page.contains(&format!("exclusive-slot: #{op} of client ")));
    assert!(page.contains(&format!("class=\"blamed\"><title>#{op} of client ")));
    let report = page.split("<h2 class=\"bad\">").nth(1).unwrap();
    assert!(report.contains(&format!("{holder} is in the way")));
}

#[test]
fn what_a_fault_explains_is_amber_and_no_violation() {
    let mut splits = (1..100).map(|seed| played(Profile::Split, seed));
    let explained = |outcome: &Outcome| !outcome.report.overlaps.is_empty() && outcome.report.is_clean();
    let (outcome, options) = splits.find(|(outcome, _)| explained(outcome)).unwrap();

    let picture = svg(&outcome.history, &outcome.report, &options);

    let body = picture.split("</style>").nth(1).unwrap();
    assert!(body.contains("class=\"both\"><title>two for "));
    // Once in the legend.
    assert_eq!(body.matches("class=\"clash\"").count(), 1);
    assert!(!body.contains("class=\"moment\""));
}

#[test]
fn where_no_server_told_nothing_is_said_about_leases() {
    let (mut outcome, options) = played(Profile::Failover, 2);
    outcome
        .history
        .events
        .retain(|event| !matches!(event.what, What::Record(_)));

    let picture = svg(&outcome.history, &outcome.report, &whole(options));

    assert!(!picture.contains("no server has its lease"));
    assert!(!picture.contains("<title>lease of"));
}

#[test]
fn nothing_at_all_is_a_picture_too() {
    for options in [Options::default(), whole(Options::default())] {
        let page = html(&History::default(), &Report::default(), &options);

        assert_balanced(&page);
    }
}
