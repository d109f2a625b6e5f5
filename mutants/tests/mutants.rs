//! Every mutant is caught, each in a test of its own name.

use std::collections::BTreeSet;

use semafence_mutants::{KNOWN_WRONG_DESIGNS, all, catch};
use semafence_mutants_edits::{CORE, SIM};

fn is_caught(name: &str) {
    let mutant = all().find(|mutant| mutant.name == name).expect("a mutant of this name");
    let catch = catch(mutant, false);
    assert!(catch.is_some(), "{name} survives: none of {:?} broke", mutant.caught_by);
}

macro_rules! caught {
    ($($name:ident,)+) => {
        $(
            #[test]
            fn $name() {
                is_caught(stringify!($name));
            }
        )+

        const TESTED: &[&str] = &[$(stringify!($name)),+];
    };
}

caught! {
    deadline_counted_from_the_reply,
    no_drift_margin,
    expiry_judged_by_the_clients_clock,
    heartbeat_stops_after_the_first_error,
    cancelled_waiter_stays_in_the_queue,
    retry_with_a_new_holder_id,
    cancelled_acquire_leaves_its_heartbeat,
    deadline_not_enforced_while_a_call_hangs,
    not_held_is_ignored,
    drop_does_not_release,
    noscript_is_not_retried,
    lease_on_the_wall_clock,
    no_fallback_poll,
    no_rediscovery_of_the_master,
    refreshed_deadline_counted_from_the_old_one,
    release_gives_up_after_the_first_connection_error,
    refreshed_deadline_counted_from_the_reply,
    force_is_ignored,
    keeper_gives_up_a_release_after_the_first_error,
    a_request_on_its_way_is_forgotten,
    an_error_of_the_server_loses_the_lease,
    a_lease_is_never_refreshed,
    a_refresh_does_not_say_what_it_held,
    too_few_acknowledgements_are_enough,
    what_too_few_acknowledged_is_not_given_back,
    half_of_the_servers_are_enough,
    votes_for_any_slots_count,
    one_round_whatever_servers_knew,
    a_larger_token_that_nobody_confirms,
    a_minority_keeps_a_lease,
    token_from_a_plain_incr,
    token_without_a_floor,
    token_without_the_guard,
    a_generation_without_a_head_start,
    a_generation_without_base_and_step,
    a_lost_record_without_a_floor,
    nothing_is_kept_back_after_a_failover,
    a_server_without_memory_asks_for_no_grace,
    nothing_is_taken_in_again,
    taken_in_beside_another,
    a_generation_is_never_recorded,
    the_shortcut_passes_over_another_generation,
    a_token_is_given_twice,
    release_without_checking_the_holder,
    refresh_brings_back_an_expired_lease,
    a_hand_off_gives_a_full_ttl,
    a_hand_off_lets_in_one_too_many,
    acquire_is_not_idempotent,
    a_newcomer_jumps_the_queue,
    release_forgets_the_queue,
    the_shortcut_of_release_forgets_the_queue,
    a_retry_does_not_extend_the_lease,
    ended_leases_are_never_swept,
    leases_are_swept_too_early,
    no_tombstone_is_left,
    a_tombstone_is_ignored,
    nobody_is_told_of_a_hand_off,
    nobody_is_woken,
    keys_expire_with_the_lease,
    a_slot_is_given_twice,
    slots_come_back_once_too_often,
    force_ends_no_lease,
    force_serves_nobody,
    resize_serves_nobody,
    an_override_of_the_limit_is_ignored,
    the_shortcut_ignores_an_override_of_the_limit,
    everybody_has_the_same_ticket,
    asking_again_goes_to_the_end,
    refresh_extends_nothing,
    a_waiter_that_leaves_stays_queued,
    a_lost_key_of_leases_frees_nothing,
    a_lost_queue_blocks_newcomers,
    a_lost_state_leaves_the_rest,
    a_lost_key_of_free_slots_is_not_found_again,
    refresh_does_not_look_at_the_expiry,
    a_permit_taken_by_force_leaves_no_tombstone,
    a_quiet_process_counts_as_patient,
    a_waiting_process_counts_as_quiet,
    stepless_time_steps,
    stepless_time_goes_back,
    stepless_leases_are_not_longer,
    a_server_votes_during_its_grace,
    a_server_votes_without_the_guard,
    a_server_does_not_say_what_it_knew_before,
    a_server_votes_for_slots_that_are_taken,
    a_vote_that_was_counted_is_dealt_out,
}

#[test]
fn every_mutant_has_a_test_of_its_name() {
    let mutants: Vec<&str> = all().map(|mutant| mutant.name).collect();

    assert_eq!(mutants, TESTED);
}

#[test]
fn every_design_that_is_known_to_be_wrong_has_a_mutant() {
    let designs: BTreeSet<&str> = KNOWN_WRONG_DESIGNS.into_iter().collect();
    let rows: BTreeSet<&str> = all().filter_map(|mutant| mutant.row).collect();

    assert_eq!(rows, designs);
}

#[test]
fn every_edit_of_the_sources_is_of_a_mutant_and_every_mutant_edits_something() {
    let edited: BTreeSet<&str> = CORE.iter().chain(SIM).map(|edit| edit.mutant).collect();
    let of_sources = all().filter(|mutant| mutant.scripts.is_empty());

    assert_eq!(of_sources.map(|mutant| mutant.name).collect::<BTreeSet<_>>(), edited);
}
