//! Every wrong rule is seen to be wrong, with the shortest way there.

use semafence_model::{Config, Property, Rule, Space, explore};

fn breaks(config: Config, property: Property, steps: usize) {
    let found = explore(&config);

    let violation = found.violation.expect("a wrong rule breaks something");
    let story = violation.story.join("\n");
    println!(
        "{:?}, {} states, {} steps:\n{story}\n",
        config.rule, found.states, found.steps
    );
    assert_eq!(violation.property, property, "{story}");
    // The last sentence says what is broken.
    assert_eq!(violation.story.len() - 1, steps, "{story}");
    assert!(found.states > steps * 10, "only {} states", found.states);
}

#[test]
fn nodes_that_count_holders_and_know_no_slots_let_three_in_where_two_may_be() {
    breaks(Space::of(Rule::Counting), Property::Limit, 12);
}

#[test]
fn clients_that_return_what_they_proposed_return_one_token_twice() {
    breaks(Space::of(Rule::OnePhase), Property::Uniqueness, 8);
}

#[test]
fn a_client_that_returns_what_it_proposed_may_go_back() {
    breaks(Config::new(1).with(Rule::OnePhase), Property::Order, 9);
}

#[test]
fn clients_that_do_not_confirm_return_one_token_twice() {
    breaks(Space::of(Rule::NoConfirm), Property::Uniqueness, 8);
}

#[test]
fn a_client_after_one_that_did_not_confirm_may_go_back() {
    breaks(Config::new(1).with(Rule::NoConfirm), Property::Order, 10);
}

#[test]
fn tokens_that_need_not_be_above_are_returned_twice() {
    breaks(Space::of(Rule::NotStrict), Property::Uniqueness, 8);
}

#[test]
fn a_node_that_grants_right_after_it_forgot_lets_a_second_client_in() {
    breaks(Space::of(Rule::NoGrace), Property::Exclusion, 9);
}

#[test]
fn a_grace_that_does_not_wait_for_clients_that_ask_lets_a_second_one_in() {
    breaks(Space::of(Rule::GraceOfGrants), Property::Exclusion, 10);
}

#[test]
fn tokens_go_back_where_a_node_that_forgot_starts_from_zero() {
    breaks(Space::of(Rule::NoGuard), Property::Order, 11);
}

#[test]
fn tokens_go_back_where_a_node_that_forgot_starts_below_what_was_proposed() {
    breaks(Space::of(Rule::GuardOfGrants), Property::Order, 11);
}

#[test]
fn without_tombstones_a_late_vote_takes_a_slot_after_its_release() {
    breaks(Space::of(Rule::NoTombstone), Property::Tombstone, 4);
}

#[test]
fn a_node_in_its_grace_that_takes_anybody_in_forgets_whom_it_had_granted_the_slot() {
    breaks(Space::of(Rule::TakeInAnybody), Property::Exclusion, 14);
}

#[test]
fn a_node_in_its_grace_cannot_rely_on_what_a_late_refresh_says_of_it() {
    breaks(Space::of(Rule::TakeInBacked), Property::Exclusion, 21);
}

#[test]
fn a_record_that_ends_before_its_holders_deadline_lets_a_second_client_in() {
    breaks(Space::of(Rule::EarlyExpiry), Property::Exclusion, 9);
}

#[test]
fn a_claim_that_overrules_whoever_asked_later_ends_a_record_that_counts() {
    breaks(Space::of(Rule::OverruleAnybody), Property::Exclusion, 17);
}

#[test]
fn tokens_go_back_where_a_claim_overrules_before_its_grant_has_returned() {
    breaks(Space::of(Rule::OverruleByConfirm), Property::Order, 15);
}

#[test]
fn a_refresh_cannot_rely_on_a_record_that_has_not_heard_the_token_of_the_grant() {
    breaks(Space::of(Rule::RefreshOfAnyRecord), Property::Exclusion, 25);
}
