//! Mutants of the Rust sources; what they change is in `semafence-mutants-edits`.

use semafence_sim::check::Invariant::{
    self, Acknowledged, AtMostLimit, ExclusiveSlot, HandOver, IdlePermit, LossTold, NoLeak, NoSpuriousLoss,
    NoUnexplainedError, NothingLeft, OnePermitPerOp, OverlapBound, PromptReturn, Served, Stolen,
};
use semafence_sim::explore::Profile::{self, Calm, Clocks, Failover, Lapses, Memory, Network, Operators, Server};

use crate::mutant::Mutant;

const fn mutant(
    name: &'static str,
    row: Option<&'static str>,
    caught_by: &'static [Invariant],
    profiles: &'static [Profile],
    first: (Profile, u64),
) -> Mutant {
    Mutant {
        name,
        row,
        scripts: &[],
        caught_by,
        profiles,
        first,
    }
}

pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "deadline_counted_from_the_reply",
        Some("local deadline counted from the reply instead of from before the request"),
        &[ExclusiveSlot, LossTold, AtMostLimit],
        &[Lapses],
        (Lapses, 11),
    ),
    mutant(
        "no_drift_margin",
        Some("no drift margin on the local deadline"),
        &[ExclusiveSlot, LossTold],
        &[Lapses],
        (Lapses, 5),
    ),
    mutant(
        "expiry_judged_by_the_clients_clock",
        Some("expiry judged by the client's clock"),
        &[ExclusiveSlot, LossTold, Stolen, NoLeak, IdlePermit],
        &[Clocks],
        (Clocks, 1),
    ),
    mutant(
        "heartbeat_stops_after_the_first_error",
        Some("heartbeat stops after the first error"),
        &[NoSpuriousLoss, NoLeak],
        &[Lapses],
        (Lapses, 8),
    ),
    mutant(
        "cancelled_waiter_stays_in_the_queue",
        Some("cancelled waiter stays in the queue"),
        &[PromptReturn, IdlePermit, HandOver, NoLeak],
        &[Calm],
        (Calm, 1),
    ),
    mutant(
        "retry_with_a_new_holder_id",
        Some("retry with a new holder id"),
        &[OnePermitPerOp, NoLeak, IdlePermit],
        &[Network],
        (Network, 1),
    ),
    mutant(
        "cancelled_acquire_leaves_its_heartbeat",
        Some("cancelled acquire leaves its heartbeat running"),
        &[NoLeak, PromptReturn, IdlePermit, NothingLeft],
        &[Calm],
        (Calm, 1),
    ),
    mutant(
        "deadline_not_enforced_while_a_call_hangs",
        Some("deadline computed but not enforced while a call hangs"),
        &[ExclusiveSlot, LossTold],
        &[Lapses],
        (Lapses, 5),
    ),
    mutant(
        "not_held_is_ignored",
        Some("\"not held\" answer to a refresh ignored"),
        &[LossTold, ExclusiveSlot, OverlapBound],
        &[Memory],
        (Memory, 6),
    ),
    mutant(
        "drop_does_not_release",
        Some("drop does not release"),
        &[PromptReturn],
        &[Calm],
        (Calm, 1),
    ),
    mutant(
        "noscript_is_not_retried",
        Some("NOSCRIPT not retried"),
        &[NoUnexplainedError],
        &[Server],
        (Server, 2),
    ),
    mutant(
        "lease_on_the_wall_clock",
        Some("lease measured on the wall clock"),
        &[NoLeak, ExclusiveSlot, LossTold, NoSpuriousLoss],
        &[Clocks],
        (Clocks, 5),
    ),
    mutant(
        "no_fallback_poll",
        Some("no fallback poll while waiting"),
        &[Served, IdlePermit],
        &[Network],
        (Network, 7),
    ),
    mutant(
        "no_rediscovery_of_the_master",
        Some("no re-discovery of the master"),
        &[Served, NoUnexplainedError, NoSpuriousLoss],
        &[Failover],
        (Failover, 1),
    ),
    mutant(
        "refreshed_deadline_counted_from_the_old_one",
        Some("refreshed deadline counted from the old one"),
        &[ExclusiveSlot, LossTold],
        &[Lapses],
        (Lapses, 5),
    ),
    mutant(
        "release_gives_up_after_the_first_connection_error",
        Some("release gives up after the first connection error"),
        &[PromptReturn],
        &[Network, Lapses],
        (Network, 90),
    ),
    mutant(
        "refreshed_deadline_counted_from_the_reply",
        None,
        &[ExclusiveSlot, LossTold],
        &[Lapses],
        (Lapses, 5),
    ),
    mutant(
        "force_is_ignored",
        None,
        &[LossTold, ExclusiveSlot],
        &[Operators],
        (Operators, 5),
    ),
    mutant(
        "keeper_gives_up_a_release_after_the_first_error",
        None,
        &[PromptReturn],
        &[Network, Lapses],
        (Network, 90),
    ),
    mutant(
        "a_request_on_its_way_is_forgotten",
        None,
        &[NoLeak, PromptReturn, IdlePermit, OnePermitPerOp],
        &[Network, Clocks],
        (Network, 28),
    ),
    mutant(
        "an_error_of_the_server_loses_the_lease",
        None,
        &[NoSpuriousLoss],
        &[Server],
        (Server, 2),
    ),
    mutant(
        "a_lease_is_never_refreshed",
        None,
        &[NoSpuriousLoss],
        &[Calm],
        (Calm, 1),
    ),
    mutant(
        "a_refresh_does_not_say_what_it_held",
        None,
        &[NoSpuriousLoss],
        &[Failover, Memory],
        (Failover, 10),
    ),
    mutant(
        "too_few_acknowledgements_are_enough",
        None,
        &[Acknowledged],
        &[Failover],
        (Failover, 10),
    ),
    mutant(
        "what_too_few_acknowledged_is_not_given_back",
        None,
        &[PromptReturn, NoLeak, IdlePermit, OnePermitPerOp],
        &[Failover],
        (Failover, 298),
    ),
];
