//! What every backend must show: a named test per clause, run by whoever writes one.
//!
//! Not a stable part of the public API: clauses may be added in patch releases.
//!
//! # Examples
//!
//! ```
//! use std::sync::Arc;
//!
//! use semafence::conformance::{Clause, Site};
//! use semafence::{Clock, KeeperMode, LockBackend};
//! use semafence_sim::Sim;
//!
//! #[derive(Debug)]
//! struct Simulated(Sim);
//!
//! impl Site for Simulated {
//!     fn backend(&self) -> Arc<dyn LockBackend> {
//!         Arc::new(self.0.backend())
//!     }
//!
//!     fn clock(&self) -> Arc<dyn Clock> {
//!         Arc::new(self.0.clock())
//!     }
//!
//!     fn keeper(&self) -> KeeperMode {
//!         KeeperMode::Task
//!     }
//! }
//!
//! fn run(_clause_name: &str, clause: Clause) {
//!     semafence_sim::run(1, |sim| clause(Arc::new(Simulated(sim))));
//! }
//!
//! semafence::conformance!(run);
//! ```

use std::fmt::Debug;
use std::sync::Arc;

use futures::future::BoxFuture;

use crate::backend::LockBackend;
use crate::clock::Clock;
use crate::keeper::KeeperMode;

mod clients;
mod lab;
mod queues;
mod verbs;

/// A fresh, empty deployment for one clause.
pub trait Site: Debug + Send + Sync + 'static {
    /// The backend as one more process sees it: own connections, same store.
    fn backend(&self) -> Arc<dyn LockBackend>;

    /// The clock by which the clause waits, and its clients live.
    fn clock(&self) -> Arc<dyn Clock>;

    /// Where the keepers of its clients run.
    fn keeper(&self) -> KeeperMode {
        KeeperMode::Thread
    }
}

/// One statement that must hold; panics where it does not.
pub type Clause = fn(Arc<dyn Site>) -> BoxFuture<'static, ()>;

macro_rules! clauses {
    ($($(#[$doc:meta])* $module:ident::$clause:ident;)+) => {
        /// Every clause with its name.
        #[must_use]
        pub fn all() -> Vec<(&'static str, Clause)> {
            vec![$((stringify!($clause), clause::$clause as Clause)),+]
        }

        /// The clauses as plain functions, for the macro.
        pub mod clause {
            use super::*;

            $($(#[$doc])* #[must_use] pub fn $clause(site: Arc<dyn Site>) -> BoxFuture<'static, ()> {
                Box::pin($module::$clause(lab::Lab::new(site)))
            })+
        }

        /// Makes one `#[test]` per clause, each of which calls `run(name, clause)` with the given function. It makes a
        /// fresh [`Site`](crate::conformance::Site) and a runtime, and runs the clause to its end.
        #[macro_export]
        macro_rules! conformance {
            ($run:path) => {
                $(#[test] fn $clause() { $run(stringify!($clause), $crate::conformance::clause::$clause) })+
            };
        }
    };
}

clauses! {
    /// SCENARIOS 1.
    verbs::slots_of_live_holders_are_distinct_and_below_the_limit;
    /// SCENARIOS 1, 5.
    verbs::no_more_than_the_limit_are_granted;
    /// SCENARIOS 26.
    verbs::the_same_claim_again_gets_the_same_grant;
    /// SCENARIOS 26; the mutant "lease not extended when an acquire is retried".
    verbs::the_same_claim_again_gets_a_fresh_lease;
    /// SCENARIOS 2.
    verbs::a_released_permit_can_be_taken_at_once;
    /// SCENARIOS 2, 68.
    verbs::a_release_by_a_stranger_frees_nothing;
    /// SCENARIOS 2, 27.
    verbs::a_second_release_frees_nobody_elses_permit;
    /// SCENARIOS 24.
    verbs::an_expired_lease_is_not_brought_back;
    /// SCENARIOS 15.
    verbs::an_expired_lease_makes_room;
    /// SCENARIOS 15.
    verbs::a_refresh_extends_the_lease_to_one_ttl_from_now;
    /// DESIGN, "Exclusion over a failover".
    verbs::waiting_for_replicas_extends_the_lease_and_counts_no_more_than_there_are;
    /// DESIGN, "Exclusion over a failover".
    verbs::a_grant_that_is_gone_is_not_acknowledged;
    /// SCENARIOS 15, 45.
    verbs::one_refresh_answers_for_many_names_in_order;
    /// SCENARIOS 38.
    verbs::tokens_grow_with_every_grant;
    /// SCENARIOS 7.
    verbs::several_permits_are_had_all_or_none;
    /// SCENARIOS 5.
    verbs::more_than_the_limit_in_force_is_refused;
    /// SCENARIOS 28.
    verbs::a_release_that_overtakes_its_acquire_leaves_nothing_to_take;
    /// SCENARIOS 28.
    verbs::a_doubtful_release_bars_late_copies_of_the_acquire;
    /// SCENARIOS 30.
    verbs::a_refresh_under_another_token_extends_nothing;
    /// SCENARIOS 42.
    verbs::a_forced_release_makes_room_and_says_so;
    /// SCENARIOS 40.
    verbs::lowering_the_limit_interrupts_nobody;
    /// SCENARIOS 40.
    verbs::two_programs_with_different_limits_are_reported;
    /// SCENARIOS 8, 40.
    verbs::adding_permits_raises_the_limit_in_force;
    /// SCENARIOS 8.
    verbs::an_addition_that_comes_twice_counts_once;
    /// SCENARIOS 8.
    verbs::additions_at_the_same_time_all_count;
    /// SCENARIOS 8, 40.
    verbs::what_would_be_above_the_largest_limit_is_not_added;
    /// SCENARIOS 41.
    verbs::status_shows_who_holds_and_who_waits;
    /// SCENARIOS 41, 48.
    verbs::looking_changes_nothing;
    /// SCENARIOS 35.
    verbs::the_backends_clock_moves;
    /// SCENARIOS 6, 41.
    verbs::names_in_use_are_listed;
    /// SCENARIOS 4.
    verbs::odd_names_are_kept_apart;
    /// SCENARIOS 22.
    verbs::the_keepers_handle_sees_the_same_store;
    /// SCENARIOS 9.
    queues::waiters_are_served_in_the_order_of_arrival;
    /// SCENARIOS 9.
    queues::a_newcomer_does_not_pass_the_queue;
    /// SCENARIOS 10.
    queues::a_large_request_at_the_head_is_not_starved;
    /// SCENARIOS 11.
    queues::a_dead_head_blocks_no_longer_than_its_claim_window;
    /// SCENARIOS 11.
    queues::a_waiter_whose_process_went_quiet_is_skipped;
    /// SCENARIOS 12.
    queues::a_waiter_that_leaves_does_not_hold_up_those_behind_it;
    /// SCENARIOS 12; a waiter that asks again keeps its place.
    queues::asking_again_keeps_the_place;
    /// SCENARIOS 11, 60.
    queues::a_waiter_is_told_when_the_next_lease_ends;
    /// SCENARIOS 13, 60.
    queues::a_hand_off_is_announced_to_its_waiter;
    /// SCENARIOS 13.
    queues::a_wake_up_reaches_one_waiter_per_free_slot;
    /// SCENARIOS 42.
    queues::a_forced_release_is_announced_to_the_holder;
    /// SCENARIOS 40.
    queues::raising_the_limit_serves_waiters;
    /// SCENARIOS 8, 40.
    queues::adding_permits_serves_waiters;
    /// SCENARIOS 42.
    queues::a_waiter_removed_by_force_does_not_come_back;
    /// SCENARIOS 1.
    clients::with_a_queue_at_most_limit_are_inside_and_everyone_gets_a_turn;
    /// SCENARIOS 1.
    clients::with_wake_ups_at_most_limit_are_inside_and_everyone_gets_a_turn;
    /// SCENARIOS 1.
    clients::with_polling_at_most_limit_are_inside_and_everyone_gets_a_turn;
    /// SCENARIOS 3, 70.
    clients::an_attempt_does_not_wait_and_a_timed_wait_ends_in_time;
    /// SCENARIOS 25, 62.
    clients::a_dropped_acquire_leaves_nothing_behind;
    /// SCENARIOS 12.
    clients::a_wait_that_times_out_leaves_the_queue;
    /// SCENARIOS 23, 55.
    clients::a_dropped_permit_is_given_back;
    /// SCENARIOS 15, 51.
    clients::a_permit_outlasts_many_ttls_while_it_is_kept;
    /// SCENARIOS 16.
    clients::a_permit_that_is_taken_away_is_told_within_a_refresh_interval;
    /// SCENARIOS 21.
    clients::loss_is_final;
    /// SCENARIOS 7.
    clients::two_that_want_everything_do_not_deadlock;
    /// SCENARIOS 13, 60.
    clients::a_queued_waiter_is_woken_long_before_the_fallback;
    /// SCENARIOS 13, 60.
    clients::a_notified_waiter_is_woken_long_before_the_fallback;
    /// SCENARIOS 50.
    clients::tasks_that_share_a_handle_exclude_each_other;
    /// SCENARIOS 6.
    clients::closing_gives_everything_back;
}
