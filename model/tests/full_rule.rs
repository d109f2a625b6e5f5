//! The full rule holds in every space, and in each of them happened what it is about.

use semafence_model::{Mark, Space, explore};

/// What has to occur in every space.
const ALWAYS: [Mark; 5] = [
    Mark::OneRound,
    Mark::LateVote,
    Mark::RepeatedVote,
    Mark::UnheardMajority,
    Mark::NextHolder,
];

fn holds(space: &Space, least_states: usize) {
    let found = explore(&space.config);

    println!(
        "{}: {} states, {} steps in {:?}",
        space.name, found.states, found.steps, found.took
    );
    let story = found.violation.map(|violation| violation.story.join("\n"));
    assert_eq!(story, None, "{}", space.name);
    assert!(found.states >= least_states, "only {} states", found.states);
    for mark in ALWAYS.iter().chain(space.marks) {
        assert!(found.marks.has(*mark), "{mark:?} never occurred");
    }
    assert_eq!(found.marks.has(Mark::Confirmed), space.config.confirms > 0);
}

#[test]
fn four_holders_of_one_slot_follow_each_other() {
    holds(&Space::ONE_SLOT, 300_000);
}

#[test]
fn three_holders_share_two_slots() {
    holds(&Space::TWO_SLOTS, 300_000);
}

#[test]
fn nodes_that_forget_one_by_one_or_two_at_once_let_nobody_in_beside_a_holder() {
    holds(&Space::RESTARTS, 400_000);
}

#[test]
fn all_nodes_may_forget_at_once() {
    holds(&Space::ALL_RESTART, 200_000);
}

#[test]
fn a_node_that_forgets_lets_nobody_in_beside_the_holders_of_two_slots() {
    holds(&Space::TWO_SLOTS_RESTART, 300_000);
}

#[test]
fn a_lease_may_rest_on_another_majority_after_each_refresh() {
    holds(&Space::REFRESHES, 100_000);
}

#[test]
fn a_refreshed_lease_outlives_nodes_that_forget() {
    holds(&Space::REFRESHES_RESTARTS, 300_000);
}

#[test]
fn leases_of_two_slots_are_refreshed_while_a_node_forgets() {
    holds(&Space::TWO_SLOTS_REFRESH, 100_000);
}

#[test]
fn a_node_never_records_a_holder_of_whose_release_it_knows() {
    holds(&Space::WHOLE, 800_000);
}

#[test]
fn a_node_never_records_a_holder_of_either_slot_of_whose_release_it_knows() {
    holds(&Space::WHOLE_TWO_SLOTS, 200_000);
}

#[test]
fn a_node_never_records_a_holder_of_whose_release_it_was_told_since_it_forgot() {
    holds(&Space::WHOLE_RESTART, 300_000);
}

#[test]
fn a_late_refresh_brings_no_released_holder_back() {
    holds(&Space::WHOLE_REFRESH, 400_000);
}

#[test]
fn a_holder_may_overrule_whoever_asked_under_a_smaller_token() {
    holds(&Space::OVERRULES, 90_000);
}

#[test]
fn holders_of_two_slots_overrule_each_in_its_own() {
    holds(&Space::OVERRULES_TWO_SLOTS, 400_000);
}

#[test]
fn a_late_overruling_harms_nobody_at_a_node_that_has_forgotten() {
    holds(&Space::OVERRULES_RESTART, 500_000);
}

#[test]
fn a_late_overruling_takes_no_refreshed_lease() {
    holds(&Space::OVERRULES_REFRESH, 100_000);
}

#[test]
fn a_late_overruling_takes_no_lease_that_a_node_has_taken_in() {
    holds(&Space::OVERRULES_RESTART_REFRESH, 150_000);
}

#[test]
fn a_late_overruling_brings_no_released_holder_back() {
    holds(&Space::WHOLE_OVERRULES, 800_000);
}

#[test]
fn a_late_overruling_brings_no_holder_back_that_was_released_since_its_node_forgot() {
    holds(&Space::WHOLE_OVERRULES_RESTART, 800_000);
}

#[test]
#[ignore = "takes minutes and gigabytes"]
fn the_large_spaces_hold_too() {
    for space in &Space::LARGE {
        holds(space, 500_000);
    }
}
