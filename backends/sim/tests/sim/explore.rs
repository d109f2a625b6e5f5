//! Plans of every kind, played: what they cover, that one plan gives one history, and that a failing one becomes small.

use std::time::Duration;

use semafence_sim::check::{Invariant, linearizable};
use semafence_sim::explore::{
    Fault, Options, Outcome, ParsePlanError, Plan, Profile, Verb, run, run_edited, run_with, shrink,
};
use semafence_sim::{Marks, ScriptEdit};

fn traced(plan: &Plan) -> Outcome {
    let options = Options {
        trace: true,
        ..Options::default()
    };
    run_with(plan, &options)
}

/// Many more run in release, in the step "explored histories" of `cargo xtask ci`.
#[test]
fn some_histories_of_every_kind_are_clean() {
    let mut marks = Marks::default();
    for profile in Profile::ALL {
        for seed in 1..=6 {
            let plan = Plan::draw(profile, seed);
            let outcome = run(&plan);
            marks.add(&outcome.marks);
            assert!(outcome.report.is_clean(), "{plan}\n{}", outcome.report);
            let linear = linearizable(&outcome.history);
            assert!(linear.is_ok(), "{plan}\n{linear:?}");
        }
    }
    assert_ne!(marks.count("a failover lost writes"), 0);
}

/// SCENARIOS 30. That the grace is what does it shows the mutant `nothing_is_kept_back_after_a_failover`.
#[test]
fn exclusion_holds_over_failovers_that_lose_writes() {
    let mut marks = Marks::default();
    for profile in [Profile::Failover, Profile::Twice] {
        let plans = (1..=40).map(|seed| Plan::draw(profile, seed));
        for plan in plans.filter(|plan| plan.setting().grace) {
            let outcome = run(&plan);
            marks.add(&outcome.marks);
            assert!(outcome.report.is_clean(), "{plan}\n{}", outcome.report);
            assert_eq!(outcome.report.overlaps, [], "{plan}");
        }
    }
    assert_ne!(marks.count("a failover lost writes"), 0);
    assert_ne!(marks.count("a forgotten permit was taken in again"), 0);
}

#[test]
fn one_plan_gives_one_history_in_any_thread() {
    for profile in Profile::ALL {
        let plan = Plan::draw(profile, 3);
        let first = traced(&plan);
        let elsewhere = {
            let plan = plan.clone();
            std::thread::spawn(move || traced(&plan)).join().unwrap()
        };
        // What ran before in a thread leaves nothing behind.
        let other = run(&Plan::draw(profile, 4));
        let second = traced(&plan);

        assert!(!first.trace.is_empty(), "{plan}");
        assert_eq!(first.trace, second.trace, "{plan}");
        assert_eq!(first.trace, elsewhere.trace, "{plan}");
        assert_eq!(first.history, second.history, "{plan}");
        assert_eq!(first.history, elsewhere.history, "{plan}");
        assert_ne!(first.history, other.history, "{plan}");
    }
}

#[test]
fn a_plan_is_read_back_from_its_text() {
    for profile in Profile::ALL {
        for seed in 1..=200 {
            let plan = Plan::draw(profile, seed);
            assert_eq!(plan.to_string().parse(), Ok(plan));
        }
    }
}

/// Reads a plan of three clients with this fault.
fn with_fault(line: &str) -> Result<Plan, String> {
    let text = format!("# One fault.\nseed 1\nprofile failover\nclients 3\nuntil 50000ms\n{line}\n");
    text.parse().map_err(|error: ParsePlanError| error.to_string())
}

#[test]
fn a_fault_that_would_befall_nobody_is_refused() {
    for (line, why) in [
        ("9000ms pause client=4 for=70ms", "there are clients 1 to 3 only"),
        ("9000ms pause client=0 for=70ms", "client must be above 0"),
        (
            "9000ms split clients=3-4 detected=1ms for=1ms",
            "there are clients 1 to 3 only",
        ),
        (
            "9000ms split clients=3-2 detected=1ms for=1ms",
            "clients is no range like 1-3",
        ),
        ("9000ms suspend clients=0-1 for=70ms", "clients is no range like 1-3"),
        (
            "9000ms drop client=1 link=push way=replies count=0",
            "count must be above 0",
        ),
        ("9000ms step_clock server=9 by=5ms", "there are servers 0 to "),
        ("9000ms resize limit=0 for=70ms", "limit must be within 1 and 65536"),
        ("9000ms resize limit=65537 for=70ms", "limit must be within 1 and 65536"),
    ] {
        let said = with_fault(line).unwrap_err();
        assert!(said.starts_with(&format!("line 6: {why}")), "{said}");
        assert!(said.ends_with(&format!(" in \"{line}\"")), "{said}");
    }
}

#[test]
fn a_clock_beyond_the_documented_drift_is_refused_and_one_within_it_accuses_nobody() {
    let drifting = |ppm: i32| {
        with_fault(&format!(
            "1000ms drift client=1 ppm=-{ppm} for=40000ms
             1000ms drift_clock server=0 ppm={ppm} for=40000ms
             9000ms partition client=1 for=5000ms"
        ))
    };

    let said = drifting(5_001).unwrap_err();
    assert!(said.starts_with("line 6: ppm must be within -5000 and 5000"), "{said}");
    let report = run(&drifting(5_000).unwrap()).report;
    assert!(report.is_clean(), "{report}");
}

#[test]
fn what_is_no_time_or_no_fault_is_told_with_what_would_be_one() {
    let said = with_fault("90000000ms kill client=1").unwrap_err();
    assert!(said.contains("is no time like 1500ms, at most 86400000ms"), "{said}");
    let said = with_fault("9000ms explode").unwrap_err();
    assert!(said.contains("no fault explode, only crash, cut, "), "{said}");
    let said = "seed 1\n\nprofile storm".parse::<Plan>().unwrap_err().to_string();
    assert!(said.starts_with("line 3: there is no profile storm"), "{said}");
    let said = "seed 1".parse::<Plan>().unwrap_err().to_string();
    assert_eq!(said, "profile is missing at the end");
}

#[test]
fn verbs_are_read_with_dashes_and_underscores_alike() {
    let printed = with_fault("9000ms step_clock server=0 by=5ms").unwrap();

    assert_eq!(with_fault("9000ms step-clock server=0 by=5ms"), Ok(printed));
    assert!(with_fault("9000ms restart_empty for=70ms").is_ok());
}

#[test]
fn a_server_that_goes_back_has_saved_its_data_so_long_before() {
    let plan = with_fault("9000ms revert age=500ms for=70ms").unwrap();

    let outcome = traced(&plan);

    let has_told = |at: &str, what: &str| {
        let line = format!("{at} server 0.0: {what}");
        outcome.trace.iter().any(|told| told.trim() == line)
    };
    assert!(has_told("9.000000", "saves its data"));
    assert!(has_told("9.500000", "crashes"));
    assert!(has_told("9.570000", "restarts, data Saved"));
    assert_eq!(outcome.marks.count("a master came back with older data"), 1);
    assert!(outcome.report.is_clean(), "{}", outcome.report);
    assert_eq!(plan.faults[0].verb.length(), Duration::from_millis(570));
}

#[test]
fn one_in_three_servers_that_lose_their_data_has_an_older_one() {
    for profile in [Profile::Everything, Profile::Memory, Profile::Quorum] {
        let plans = (1..=400).map(|seed| Plan::draw(profile, seed));
        let faults: Vec<Fault> = plans.flat_map(|plan| plan.faults).collect();
        let count = |is_it: fn(&Verb) -> bool| faults.iter().filter(|fault| is_it(&fault.verb)).count();

        let older = count(|verb| matches!(verb, Verb::Revert { .. }));
        let none = count(|verb| matches!(verb, Verb::Restart { .. }));

        assert!(
            (none / 3..none * 2 / 3).contains(&older),
            "{profile}: {older} and {none}"
        );
    }
}

/// A plan that was made small is printed, and must be read.
#[test]
fn fewer_clients_leave_no_faults_of_those_that_are_gone() {
    let plan = with_fault(
        "9000ms kill client=3
         9100ms suspend clients=2-3 for=70ms
         9200ms split clients=1-3 detected=1ms for=1ms",
    );
    let is_readable = |plan: &Plan| plan.to_string().parse() == Ok(plan.clone());

    let small = shrink(&plan.unwrap(), |smaller| {
        assert!(is_readable(smaller), "{smaller}");
        smaller.to_string().contains("suspend")
    });

    assert!(small.to_string().contains("\nclients 2\n"), "{small}");
    assert!(small.to_string().contains(" suspend clients=2-2 "), "{small}");
}

/// The order of tokens is broken by a rule that is plainly wrong, amid faults that have nothing to do with it.
#[test]
fn a_failing_plan_of_many_faults_shrinks_to_those_that_matter() {
    let counter = ScriptEdit::new(|_, text| {
        let text = text.replace("if not got[1] and got[8]", "if false and got[8]");
        text.replace("math.max(last + 1, us)", "state.token + 1")
    });
    let fails = |plan: &Plan| {
        let violations = run_edited(plan, &counter).report.violations;
        violations
            .iter()
            .any(|violation| violation.invariant == Invariant::TokenOrder)
    };
    let plan = (1..200)
        .map(crowded)
        .find(fails)
        .expect("a failover that loses a grant");
    assert!(plan.faults.len() > 100, "{} faults", plan.faults.len());
    let mut tries = 0;

    let small = shrink(&plan, |plan| {
        tries += 1;
        fails(plan)
    });

    assert!(fails(&small), "{small}");
    assert!(small.faults.len() <= 2, "{small}");
    assert!(small.clients <= 2 && small.until < Duration::from_secs(45), "{small}");
    assert!(tries < 200, "{tries} tries");
}

/// A failover among many faults of the network.
fn crowded(seed: u64) -> Plan {
    let mut plan = Plan::draw(Profile::Failover, seed);
    for beside in 1..100 {
        let more = Plan::draw(Profile::Network, beside).faults;
        plan.faults
            .extend(more.into_iter().filter(|fault| concerns(fault, plan.clients)));
    }
    plan.faults.sort_by_key(|fault| fault.at);
    plan
}

/// Whether it is of clients that there are, and leaves them time to work.
fn concerns(fault: &Fault, clients: u32) -> bool {
    let brief = matches!(
        fault.verb,
        Verb::Delay { .. } | Verb::Drop { .. } | Verb::Duplicate { .. }
    );
    brief && fault.verb.clients().is_some_and(|befallen| *befallen.end() <= clients)
}
