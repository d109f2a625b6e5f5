//! Plans that once showed a defect, shrunk: they are clean now, and show it again where its mend is taken back.

use semafence_sim::ScriptEdit;
use semafence_sim::check::Invariant;
use semafence_sim::explore::{Plan, run, run_edited};

fn plan(text: &str) -> Plan {
    text.parse().unwrap()
}

fn assert_clean(plan: &Plan) {
    let report = run(plan).report;
    assert!(report.is_clean(), "{plan}\n{report}");
}

/// Runs a plan with `mended` replaced by what had been there before.
fn broken_without(plan: &Plan, mended: &'static str, before: &'static str) -> Vec<Invariant> {
    let edit = ScriptEdit::new(move |_, text| text.replace(mended, before));
    let violations = run_edited(plan, &edit).report.violations;
    violations.iter().map(|violation| violation.invariant).collect()
}

#[test]
fn a_place_that_is_served_again_after_a_failover_is_not_taken_for_the_permit() {
    let plan = plan(include_str!("../plans/place-granted-anew.plan"));

    assert_clean(&plan);
    let broken = broken_without(&plan, "elseif is_same(state[id], token, granted) then", "else");
    assert!(broken.contains(&Invariant::OverlapBound), "{broken:?}");
}

#[test]
fn a_tombstone_that_begins_a_record_anew_costs_no_order() {
    let plan = plan(include_str!("../plans/token-after-tombstone.plan"));

    assert_clean(&plan);
    let broken = broken_without(
        &plan,
        "if state.token == 0 and is_listed()",
        "if absent and is_listed()",
    );
    assert!(broken.contains(&Invariant::TokenUnique), "{broken:?}");
    assert!(broken.contains(&Invariant::TokenOrder), "{broken:?}");
}

#[test]
fn a_waiter_that_never_fits_any_more_keeps_nobody_from_being_woken() {
    let plan = plan(include_str!("../plans/waiter-that-never-fits.plan"));

    assert_clean(&plan);
    let broken = broken_without(&plan, "local fits = waiter.weight <= limit", "local fits = true");
    assert_eq!(broken, [Invariant::IdlePermit]);
}
