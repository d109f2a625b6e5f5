//! Plans of every kind, played: what they cover, that one plan gives one history, and that a failing one becomes small.

use std::time::Duration;

use semafence_sim::check::{Invariant, linearizable};
use semafence_sim::explore::{Fault, Options, Outcome, Plan, Profile, Verb, run, run_edited, run_with, shrink};
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

/// The order of tokens is broken by a rule that is plainly wrong, amid faults that have nothing to do with it.
#[test]
fn a_failing_plan_of_many_faults_shrinks_to_those_that_matter() {
    let counter = ScriptEdit::new(|_, text| {
        let text = text.replace("if not got[1] and got[8]", "if false and got[8]");
        text.replace(
            "state.gen == generation.base and math.max(state.token + 1, us) or first_token()",
            "state.token + 1",
        )
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
