//! Mutants of the core.

use crate::edit::Edit;

/// The edits of the core, relative to its `src`.
pub const CORE: &[Edit] = &[
    Edit::instead(
        "deadline_counted_from_the_reply",
        "acquisition.rs",
        "Lease::new(self.claim.clone(), grant, «self.asked_at», ",
        "self.now()",
    ),
    Edit::instead(
        "refreshed_deadline_counted_from_the_reply",
        "keeper.rs",
        "lease.extend(«asked_at»);",
        "self.clock.now()",
    ),
    Edit::instead(
        "no_drift_margin",
        "lease.rs",
        "«ttl - ttl / 100 - Duration::from_millis(5)»",
        "ttl",
    ),
    Edit::raw(
        "expiry_judged_by_the_clients_clock",
        "acquisition.rs",
        "client_time: «(config.lease_time == LeaseTime::Client)».then(",
        "(ON || config.lease_time == LeaseTime::Client)",
    ),
    Edit::instead(
        "heartbeat_stops_after_the_first_error",
        "keeper.rs",
        "if «state.schedule.failed(holder, asked_at)» {",
        "false",
    ),
    Edit::instead(
        "cancelled_waiter_stays_in_the_queue",
        "acquisition.rs",
        "if «self.at_stake || self.in_flight» {",
        "self.in_flight",
    ),
    Edit::raw(
        "retry_with_a_new_holder_id",
        "acquisition.rs",
        "«let claim = at(&self.claim, core.clock.wall());»",
        "if ON && self.failure.is_some() {
            self.claim.holder = core.random.holder();
        }
        let claim = at(&self.claim, core.clock.wall());",
    ),
    Edit::instead(
        "cancelled_acquire_leaves_its_heartbeat",
        "acquisition.rs",
        "«self.terms.core.keeper.give_back(self.claim.clone());»",
        "let grant = Grant {
                token: crate::fence::FencingToken::from_u64(1),
                slots: vec![0],
                limit: self.claim.limit,
                other_limit: None,
            };
            let intervals = Intervals {
                refresh: self.terms.config.refreshes_every(),
                retry: self.terms.config.retries_refresh_after(),
            };
            let core = &self.terms.core;
            let lease = Lease::new(self.claim.clone(), grant, self.now(), Arc::clone(&core.clock), &self.terms.meter, &self.caller);
            if let Some(lease) = lease {
                let _kept = core.keeper.keep(Arc::new(lease), intervals, self.now());
            }",
    ),
    // Whoever looks does not end the lease, and the keeper does not either before the call has come back.
    Edit::instead(
        "deadline_not_enforced_while_a_call_hangs",
        "lease.rs",
        "if «state.end.is_none() && self.clock.now() >= state.deadline» {",
        "false",
    ),
    Edit::instead(
        "deadline_not_enforced_while_a_call_hangs",
        "schedule.rs",
        ".fold(«self.lease.deadline()», Instant::min)",
        "if self.refresh_at.is_none() {
                Instant::from_origin(std::time::Duration::MAX)
            } else {
                self.lease.deadline()
            }",
    ),
    Edit::instead(
        "deadline_not_enforced_while_a_call_hangs",
        "schedule.rs",
        "if «!self.leases[&holder].lease.is_held()» {",
        "self.leases[&holder].lease.deadline() <= now",
    ),
    Edit::instead(
        "not_held_is_ignored",
        "keeper.rs",
        "let reason = match «answer» {",
        "answer.map(|standing| match standing {
            Standing::Absent => Standing::Held,
            other => other,
        })",
    ),
    Edit::instead(
        "force_is_ignored",
        "keeper.rs",
        "let reason = match «answer» {",
        "answer.map(|standing| match standing {
            Standing::Forced => Standing::Held,
            other => other,
        })",
    ),
    // Nor when the message comes.
    Edit::instead(
        "force_is_ignored",
        "keeper.rs",
        "if let Some(kept) = «state.schedule.remove(holder)» {
            kept.lease.end(End::Lost(LossReason::Forced));",
        "None::<Kept>",
    ),
    Edit::instead(
        "drop_does_not_release",
        "held.rs",
        "End::Lost(_) | End::Released => «keeper.give_back(lease.claim_to_release())»,",
        "",
    ),
    Edit::instead(
        "lease_on_the_wall_clock",
        "client.rs",
        "let shared_clock: Arc<dyn Clock> = «Arc::<C>::clone(&clock)»;",
        "Arc::new(WallClock(Arc::<C>::clone(&clock)))",
    ),
    Edit::raw(
        "lease_on_the_wall_clock",
        "client.rs",
        "«»/// What closing a client came to.",
        "/// Measures leases by the wall clock.
#[derive(Debug)]
struct WallClock(Arc<dyn Clock>);

#[async_trait::async_trait]
impl Clock for WallClock {
    fn now(&self) -> crate::clock::Instant {
        crate::clock::Instant::from_origin(std::time::Duration::from_micros(self.0.wall().as_micros()))
    }

    fn wall(&self) -> Timestamp {
        self.0.wall()
    }

    async fn sleep_until(&self, deadline: crate::clock::Instant) {
        loop {
            let left = deadline.saturating_since(self.now());
            if left.is_zero() {
                return;
            }
            let slice = left.min(std::time::Duration::from_secs(1));
            self.0.sleep_until(self.0.now() + slice).await;
        }
    }
}

",
    ),
    Edit::instead(
        "no_fallback_poll",
        "waiters.rs",
        "let is_time = «is_foremost && line.look_at <= now»;",
        "false",
    ),
    Edit::instead(
        "no_fallback_poll",
        "waiters.rs",
        ".ok_or_else(|| «is_foremost.then_some(line.look_at)»)",
        "None",
    ),
    Edit::instead(
        "refreshed_deadline_counted_from_the_old_one",
        "lease.rs",
        "state.deadline = «state.deadline.max(asked_at + validity(self.claim.ttl))»;",
        "state.deadline + validity(self.claim.ttl)",
    ),
    Edit::instead(
        "release_gives_up_after_the_first_connection_error",
        "held.rs",
        "Err(error) if «error.is_transient() && clock.now() + RETRY < give_up_at» =>",
        "false",
    ),
    Edit::instead(
        "release_gives_up_after_the_first_connection_error",
        "keeper.rs",
        "Err(error) if «error.is_transient() && shared.clock.now() < give_up_at» =>",
        "false",
    ),
    Edit::instead(
        "keeper_gives_up_a_release_after_the_first_error",
        "keeper.rs",
        "Err(error) if «error.is_transient() && shared.clock.now() < give_up_at» =>",
        "false",
    ),
    Edit::instead(
        "a_request_on_its_way_is_forgotten",
        "acquisition.rs",
        "if «self.at_stake || self.in_flight» {",
        "self.at_stake",
    ),
    Edit::instead(
        "an_error_of_the_server_loses_the_lease",
        "keeper.rs",
        "Err(error) if «error.is_transient()» => {
                if",
        "false",
    ),
    Edit::instead(
        "a_lease_is_never_refreshed",
        "schedule.rs",
        "if «kept.refresh_at.is_some_and(|at| at <= now)» {",
        "kept.refresh_at = kept.refresh_at.filter(|at| *at > now); false",
    ),
    Edit::instead(
        "a_refresh_does_not_say_what_it_held",
        "script.rs",
        "Some(grant) if «!claim.grace.is_zero()» =>",
        "false",
    ),
    Edit::instead(
        "too_few_acknowledgements_are_enough",
        "acquisition.rs",
        "if «replicas < terms.config.acks» {",
        "false",
    ),
    Edit::raw(
        "what_too_few_acknowledged_is_not_given_back",
        "acquisition.rs",
        "«»// Dropping this gives it back.
                return Err(Error::Unacknowledged",
        "self.at_stake &= !ON;
                ",
    ),
    Edit::instead(
        "half_of_the_servers_are_enough",
        "quorum.rs",
        "«self.nodes.len() / 2 + 1»\n    }",
        "self.nodes.len() / 2",
    ),
    Edit::instead(
        "votes_for_any_slots_count",
        "quorum/tally.rs",
        "self.casts().filter(|cast| «cast.grant.slots == slots»).count()\n    }",
        "true",
    ),
    Edit::instead(
        "votes_for_any_slots_count",
        "quorum/tally.rs",
        "let for_them = || self.casts().filter(|cast| «cast.grant.slots == slots»);",
        "true",
    ),
    Edit::instead(
        "one_round_whatever_servers_knew",
        "quorum/tally.rs",
        "(«rightly >= self.majority»).then_some(token)",
        "true",
    ),
    Edit::raw(
        "a_larger_token_that_nobody_confirms",
        "quorum/election.rs",
        "let mut floor = «tally.last_token();»\n        loop {",
        "tally.last_token();
        if ON {
            return Ok(Some(tally.grant(slots, self.quorum.horizon.propose_above(floor))));
        }",
    ),
    Edit::instead(
        "a_minority_keeps_a_lease",
        "quorum/backend.rs",
        "standings::decide(&answers, «majority»).ok_or_else(",
        "1",
    ),
];
