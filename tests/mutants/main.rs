//! Proves the conformance suite: for each clause a backend that breaks it makes it fail.

mod broken;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use broken::{Broken, Defect};
use semafence::conformance::{Clause, Site};
use semafence::{Clock, KeeperMode, LockBackend};
use semafence_sim::Sim;

/// Far more virtual time than any clause takes: a defect that makes one hang is caught as well.
const HANG: Duration = Duration::from_secs(600);

const CAUGHT: [(&str, Defect); 64] = [
    (
        "slots_of_live_holders_are_distinct_and_below_the_limit",
        Defect::EverySlotIsZero,
    ),
    ("no_more_than_the_limit_are_granted", Defect::OneTooMany),
    ("the_same_claim_again_gets_the_same_grant", Defect::FreshHolderOnRetry),
    ("the_same_claim_again_gets_a_fresh_lease", Defect::RetryKeepsTheOldLease),
    ("a_released_permit_can_be_taken_at_once", Defect::ReleaseDoesNothing),
    ("a_release_by_a_stranger_frees_nothing", Defect::ReleaseFreesAnybodys),
    (
        "a_second_release_frees_nobody_elses_permit",
        Defect::ReleaseFreesAnybodys,
    ),
    ("an_expired_lease_is_not_brought_back", Defect::RefreshBringsBack),
    ("an_expired_lease_makes_room", Defect::LeasesLastTenTimes),
    (
        "a_refresh_extends_the_lease_to_one_ttl_from_now",
        Defect::RefreshDoesNothing,
    ),
    (
        "waiting_for_replicas_extends_the_lease_and_counts_no_more_than_there_are",
        Defect::AcknowledgingDoesNothing,
    ),
    (
        "a_grant_that_is_gone_is_not_acknowledged",
        Defect::AcknowledgingDoesNothing,
    ),
    ("one_refresh_answers_for_many_names_in_order", Defect::AnswersInReverse),
    ("tokens_grow_with_every_grant", Defect::OneTokenForAll),
    ("several_permits_are_had_all_or_none", Defect::EverythingWeighsOne),
    ("more_than_the_limit_in_force_is_refused", Defect::TooHeavyIsBusy),
    (
        "a_release_that_overtakes_its_acquire_leaves_nothing_to_take",
        Defect::OnlyHoldersAreReleased,
    ),
    (
        "a_doubtful_release_bars_late_copies_of_the_acquire",
        Defect::DoubtIsForgotten,
    ),
    ("a_refresh_under_another_token_extends_nothing", Defect::TokenIsIgnored),
    ("a_forced_release_makes_room_and_says_so", Defect::ForceIsNotTold),
    ("lowering_the_limit_interrupts_nobody", Defect::ShrinkingEvicts),
    (
        "two_programs_with_different_limits_are_reported",
        Defect::OtherLimitIsHidden,
    ),
    (
        "adding_permits_raises_the_limit_in_force",
        Defect::AdditionForgetsTheOneBefore,
    ),
    (
        "an_addition_that_comes_twice_counts_once",
        Defect::FreshIdOnEachAddition,
    ),
    ("additions_at_the_same_time_all_count", Defect::AdditionIsNoticedTooLate),
    (
        "what_would_be_above_the_largest_limit_is_not_added",
        Defect::AddingIsCutOff,
    ),
    ("status_shows_who_holds_and_who_waits", Defect::StatusIsEmpty),
    ("looking_changes_nothing", Defect::LookingEvicts),
    ("the_backends_clock_moves", Defect::ClockStands),
    ("names_in_use_are_listed", Defect::NothingIsListed),
    ("odd_names_are_kept_apart", Defect::NamesIgnoreCase),
    ("the_keepers_handle_sees_the_same_store", Defect::ReleaseDoesNothing),
    ("waiters_are_served_in_the_order_of_arrival", Defect::QueueOnlyWakes),
    ("a_newcomer_does_not_pass_the_queue", Defect::QueueOnlyWakes),
    ("a_large_request_at_the_head_is_not_starved", Defect::QueueOnlyWakes),
    (
        "a_dead_head_blocks_no_longer_than_its_claim_window",
        Defect::ClaimWindowIsEndless,
    ),
    (
        "a_waiter_whose_process_went_quiet_is_skipped",
        Defect::PatienceIsEndless,
    ),
    (
        "a_waiter_that_leaves_does_not_hold_up_those_behind_it",
        Defect::OnlyHoldersAreReleased,
    ),
    ("asking_again_keeps_the_place", Defect::AskingAgainGoesToTheEnd),
    ("asking_again_keeps_the_place", Defect::EveryPlaceIsNew),
    ("a_waiter_is_told_when_the_next_lease_ends", Defect::LookAfterIsEndless),
    ("a_hand_off_is_announced_to_its_waiter", Defect::MessagesAreLost),
    ("a_wake_up_reaches_one_waiter_per_free_slot", Defect::EverybodyIsWoken),
    ("a_forced_release_is_announced_to_the_holder", Defect::MessagesAreLost),
    ("raising_the_limit_serves_waiters", Defect::ResizeDoesNothing),
    ("adding_permits_serves_waiters", Defect::AddingDoesNothing),
    (
        "a_waiter_removed_by_force_does_not_come_back",
        Defect::ForceIsAPlainRelease,
    ),
    (
        "with_a_queue_at_most_limit_are_inside_and_everyone_gets_a_turn",
        Defect::OneTooMany,
    ),
    (
        "with_a_queue_at_most_limit_are_inside_and_everyone_gets_a_turn",
        Defect::ReleaseDoesNothing,
    ),
    (
        "with_wake_ups_at_most_limit_are_inside_and_everyone_gets_a_turn",
        Defect::OneTooMany,
    ),
    (
        "with_polling_at_most_limit_are_inside_and_everyone_gets_a_turn",
        Defect::OneTooMany,
    ),
    (
        "an_attempt_does_not_wait_and_a_timed_wait_ends_in_time",
        Defect::BusyWaits,
    ),
    ("a_dropped_acquire_leaves_nothing_behind", Defect::ReleaseDoesNothing),
    ("a_wait_that_times_out_leaves_the_queue", Defect::OnlyHoldersAreReleased),
    ("a_dropped_permit_is_given_back", Defect::ReleaseDoesNothing),
    (
        "a_permit_outlasts_many_ttls_while_it_is_kept",
        Defect::RefreshDoesNothing,
    ),
    (
        "a_permit_that_is_taken_away_is_told_within_a_refresh_interval",
        Defect::ForceIsNotTold,
    ),
    (
        "a_permit_that_is_taken_away_is_told_within_a_refresh_interval",
        Defect::RefreshDoesNothing,
    ),
    ("loss_is_final", Defect::ForceIsNotTold),
    ("two_that_want_everything_do_not_deadlock", Defect::EverythingWeighsOne),
    (
        "a_queued_waiter_is_woken_long_before_the_fallback",
        Defect::MessagesAreLost,
    ),
    (
        "a_notified_waiter_is_woken_long_before_the_fallback",
        Defect::MessagesAreLost,
    ),
    ("tasks_that_share_a_handle_exclude_each_other", Defect::OneTooMany),
    ("closing_gives_everything_back", Defect::ReleaseDoesNothing),
];

#[derive(Debug)]
struct BrokenWorld {
    sim: Sim,
    defect: Option<Defect>,
}

impl Site for BrokenWorld {
    fn backend(&self) -> Arc<dyn LockBackend> {
        let backend = Arc::new(self.sim.backend());
        match self.defect {
            Some(defect) => Arc::new(Broken::new(backend, defect, self.sim.clock())),
            None => backend,
        }
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.sim.clock())
    }

    fn keeper(&self) -> KeeperMode {
        KeeperMode::Task
    }
}

fn holds(clause: Clause, defect: Option<Defect>) -> bool {
    let run = || {
        semafence_sim::run(1, |sim| async move {
            let site = Arc::new(BrokenWorld { sim, defect });
            let outcome = tokio::time::timeout(HANG, clause(site)).await;
            assert!(outcome.is_ok(), "the clause hangs");
        });
    };
    catch_unwind(AssertUnwindSafe(run)).is_ok()
}

#[test]
fn every_clause_fails_on_a_backend_that_breaks_it() {
    // Dozens of expected panics would bury an unexpected one.
    std::panic::set_hook(Box::new(|_| {}));
    let clauses = semafence::conformance::all();
    let clause = |name: &str| {
        clauses
            .iter()
            .find(|(clause, _)| *clause == name)
            .expect("a clause of this name")
            .1
    };

    let survivors: Vec<_> = CAUGHT
        .into_iter()
        .filter(|(name, defect)| holds(clause(name), Some(*defect)))
        .collect();
    let failing: Vec<_> = clauses
        .iter()
        .filter(|(_, clause)| !holds(*clause, None))
        .map(|(name, _)| name)
        .collect();
    let _hook = std::panic::take_hook();

    assert!(survivors.is_empty(), "defects that no clause caught: {survivors:#?}");
    assert!(failing.is_empty(), "clauses that fail without any defect: {failing:#?}");
}

#[test]
fn every_clause_has_a_backend_that_breaks_it() {
    let covered: BTreeSet<&str> = CAUGHT.iter().map(|(clause, _)| *clause).collect();
    let clauses: BTreeSet<&str> = semafence::conformance::all()
        .into_iter()
        .map(|(name, _)| name)
        .collect();

    assert_eq!(covered, clauses);
}
