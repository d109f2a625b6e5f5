//! Mutants of the scripts.

use semafence_sim::check::Invariant::{
    self, AtMostLimit, EndFinal, ExclusiveSlot, FenceAccepts, Fifo, HandOver, IdlePermit, LossTold, NoLeak,
    NoSpuriousLoss, NothingLeft, OnePermitPerOp, PromptReturn, Served, ServerLimit, Stolen, TokenOrder, TokenUnique,
};
use semafence_sim::explore::Profile::{
    self, Calm, Failover, Lapses, Memory, Network, Operators, Processes, Quorum, Server, Skew, Steps,
};

use crate::mutant::Mutant;
use crate::script::File::{Acquire, AcquireFree, Common, ForceRelease, Refresh, Release, ReleaseFree, Resize, Vote};
use crate::script::Replace;

const fn mutant(
    name: &'static str,
    row: Option<&'static str>,
    scripts: &'static [Replace],
    caught_by: &'static [Invariant],
    profiles: &'static [Profile],
    first: (Profile, u64),
) -> Mutant {
    Mutant {
        name,
        row,
        scripts,
        caught_by,
        profiles,
        first,
    }
}

const TOKEN: &str = "put('token', «math.max(last + 1, us)»)";
const TOKEN_FREE: &str = "local token = «math.max((tonumber(got[9]) or 0) + 1, us)»";
const TOKENS: &[Invariant] = &[TokenOrder, TokenUnique, FenceAccepts];

pub(crate) const MUTANTS: &[Mutant] = &[
    mutant(
        "token_from_a_plain_incr",
        Some("token from a plain INCR"),
        &[
            Replace::new(Common, TOKEN, "state.token + 1"),
            Replace::new(AcquireFree, TOKEN_FREE, "(tonumber(got[9]) or 0) + 1"),
        ],
        TOKENS,
        &[Failover],
        (Failover, 1),
    ),
    mutant(
        "token_without_a_floor",
        Some("token from time without a floor, or without the guard after failover"),
        &[
            Replace::new(Common, TOKEN, "us"),
            Replace::new(AcquireFree, TOKEN_FREE, "us"),
        ],
        TOKENS,
        &[Skew],
        (Skew, 1),
    ),
    mutant(
        "token_without_the_guard",
        Some("token from time without a floor, or without the guard after failover"),
        &[Replace::new(Common, TOKEN, "math.max(state.token + 1, us)")],
        TOKENS,
        &[Skew],
        (Skew, 56),
    ),
    mutant(
        "a_generation_without_a_head_start",
        None,
        &[Replace::new(
            Common,
            "1048576 + tonumber(string.sub(replid, 1, 5), 16), «us + 4294967296»)",
            "us",
        )],
        TOKENS,
        &[Memory],
        (Memory, 8),
    ),
    mutant(
        "a_generation_without_base_and_step",
        None,
        &[
            Replace::new(
                Common,
                "base = «math.max((base or 0) + 1048576 + tonumber(string.sub(replid, 1, 5), 16), us + 4294967296)»",
                "us + 4294967296",
            ),
            Replace::new(
                Common,
                "return math.max(«state.token + step + jitter», generation.base, lost)",
                "0",
            ),
        ],
        TOKENS,
        &[Skew],
        (Skew, 1),
    ),
    mutant(
        "a_lost_record_without_a_floor",
        None,
        &[Replace::new(
            Common,
            "return math.max(state.token + step + jitter, generation.base, «lost»)",
            "0",
        )],
        TOKENS,
        &[Memory],
        (Memory, 3),
    ),
    mutant(
        "nothing_is_kept_back_after_a_failover",
        None,
        &[Replace::new(Common, "«if grace == 0» then return 0 end", "if true")],
        &[ExclusiveSlot, LossTold, AtMostLimit],
        &[Failover, Memory],
        (Memory, 10),
    ),
    mutant(
        "a_server_without_memory_asks_for_no_grace",
        None,
        &[Replace::new(
            Acquire,
            "grace = «math.max(grace, tonumber(ARGV[12]))»",
            "grace",
        )],
        &[ExclusiveSlot, LossTold, AtMostLimit],
        &[Memory],
        (Memory, 28),
    ),
    mutant(
        "nothing_is_taken_in_again",
        None,
        &[Replace::new(
            Refresh,
            "local may_take_in = «grace_left() > 0 and not (absent and is_listed())»",
            "false",
        )],
        &[NoSpuriousLoss],
        &[Failover, Memory],
        (Memory, 10),
    ),
    mutant(
        "taken_in_beside_another",
        None,
        &[Replace::new(
            Refresh,
            "if «not gaps().has(ranges) and not clear(ranges, number)» then",
            "false",
        )],
        &[ServerLimit, ExclusiveSlot, NothingLeft],
        &[Failover, Memory],
        (Failover, 249),
    ),
    mutant(
        "a_generation_is_never_recorded",
        None,
        &[Replace::new(
            Common,
            "«redis.call('HSET', KEYS[7], 'replid', replid, 'base', base, 'at', at)»",
            "",
        )],
        TOKENS,
        &[Memory],
        (Memory, 2),
    ),
    mutant(
        "the_shortcut_passes_over_another_generation",
        None,
        &[Replace::new(
            AcquireFree,
            "if «generation[1] == string.match(info, '^%x+', label + 1) and generation[2] == got[10]» then",
            "true",
        )],
        TOKENS,
        &[Failover],
        (Failover, 6),
    ),
    mutant(
        "a_token_is_given_twice",
        None,
        &[Replace::new(Common, TOKEN, "math.max(last, us)")],
        TOKENS,
        &[Calm],
        (Calm, 4),
    ),
    mutant(
        "release_without_checking_the_holder",
        Some("release without checking the holder"),
        &[Replace::new(
            Release,
            "elseif not kind then
  «bury_it = true»",
            "local first = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
  if first then end_lease(first, record_of(first)) end",
        )],
        &[Stolen, ExclusiveSlot, LossTold],
        &[Network],
        (Network, 2),
    ),
    mutant(
        "refresh_brings_back_an_expired_lease",
        Some("refresh brings back an expired lease"),
        &[Replace::new(
            Refresh,
            "elseif kind == 'f' then
    answer = 3«»",
            "
  elseif not kind then
    put(id, 'h 1 1 ' .. ttl .. ' ' .. ttl .. ' 0 ' .. int(now) .. ' ' .. int(state.token) .. ' 0-0 ')
    leases[#leases + 1] = now + ttl
    leases[#leases + 1] = id
    longest = math.max(longest, ttl)
    answer = 1",
        )],
        &[ServerLimit, ExclusiveSlot, LossTold, NoLeak, OnePermitPerOp],
        &[Server, Memory],
        (Memory, 3),
    ),
    mutant(
        "a_hand_off_gives_a_full_ttl",
        Some("hand-off to a dead waiter with a full ttl"),
        &[Replace::new(Common, "grant(id, waiter, «waiter.window»)", "waiter.ttl")],
        &[HandOver],
        &[Processes],
        (Processes, 5),
    ),
    mutant(
        "a_hand_off_lets_in_one_too_many",
        Some("off-by-one of the limit in the hand-off path"),
        &[Replace::new(
            Common,
            "elseif state.used + waiter.weight <= «limit» then",
            "limit + 1",
        )],
        &[ServerLimit, AtMostLimit],
        &[Calm],
        (Calm, 1),
    ),
    mutant(
        "acquire_is_not_idempotent",
        Some("acquire not idempotent"),
        &[
            Replace::new(AcquireFree, "if «not got[1] and» got[8] and", ""),
            Replace::new(
                Acquire,
                "if expiry and tonumber(expiry) > now then «return confirm()» end",
                "if mode ~= 'q' then return take() else return confirm() end",
            ),
        ],
        &[OnePermitPerOp, ServerLimit, NoLeak, IdlePermit],
        &[Network],
        (Network, 1),
    ),
    mutant(
        "a_newcomer_jumps_the_queue",
        Some("a newcomer jumps the queue"),
        &[
            Replace::new(Acquire, "return «state.queued == 0 and »claim.weight", ""),
            Replace::new(AcquireFree, "and «is_zero(got[4]) and »is_zero(got[5])", ""),
        ],
        &[Fifo],
        &[Calm],
        (Calm, 7),
    ),
    mutant(
        "release_forgets_the_queue",
        Some("release forgets the queue"),
        &[Replace::new(
            Release,
            "if state.used > 0 then sweep() end
«serve()»",
            "",
        )],
        &[IdlePermit],
        &[Calm],
        (Calm, 4),
    ),
    mutant(
        "the_shortcut_of_release_forgets_the_queue",
        None,
        &[Replace::new(
            ReleaseFree,
            "and got[6] and «is_zero(got[4]) and »is_zero(got[5])",
            "",
        )],
        &[IdlePermit],
        &[Calm],
        (Calm, 4),
    ),
    mutant(
        "a_retry_does_not_extend_the_lease",
        Some("lease not extended when an acquire is retried"),
        &[Replace::new(
            Acquire,
            "«renew('ZADD', KEYS[2], now + claim.ttl + slack, id)»",
            "",
        )],
        &[LossTold, ExclusiveSlot, NoSpuriousLoss],
        &[Lapses],
        (Lapses, 86),
    ),
    mutant(
        "ended_leases_are_never_swept",
        None,
        &[Replace::new(
            Common,
            "if «ends > now» then
      next_end, next_id",
            "true",
        )],
        &[IdlePermit, NoLeak, Served, NothingLeft],
        &[Processes],
        (Processes, 3),
    ),
    mutant(
        "leases_are_swept_too_early",
        None,
        &[Replace::new(
            Common,
            "if ends > «now» then
      next_end, next_id",
            "now + 300",
        )],
        &[Stolen, LossTold, ExclusiveSlot],
        &[Processes, Failover],
        (Processes, 7),
    ),
    mutant(
        "no_tombstone_is_left",
        None,
        &[Replace::new(
            Release,
            "if kind ~= 't' and kind ~= 'f' and «bury_it» then",
            "false",
        )],
        &[NoLeak, OnePermitPerOp, IdlePermit, PromptReturn],
        &[Processes],
        (Processes, 240),
    ),
    mutant(
        "a_tombstone_is_ignored",
        None,
        &[Replace::new(
            Acquire,
            "if until_ms and «tonumber(until_ms) > now» then",
            "false",
        )],
        &[NoLeak, OnePermitPerOp, IdlePermit, PromptReturn],
        &[Processes],
        (Processes, 240),
    ),
    mutant(
        "nobody_is_told_of_a_hand_off",
        None,
        &[Replace::new(Common, "«waiters.tell(waiter.inbox, 'g', id)»", "")],
        &[IdlePermit, HandOver, Served],
        &[Calm],
        (Calm, 4),
    ),
    mutant(
        "nobody_is_woken",
        None,
        &[Replace::new(
            Common,
            "      waiters.leave(id, text)
      «waiters.tell(waiter.inbox, 'w', id)»",
            "",
        )],
        &[IdlePermit, HandOver, Served],
        &[Calm],
        (Calm, 28),
    ),
    mutant(
        "keys_expire_with_the_lease",
        None,
        &[
            Replace::new(
                Common,
                "local need = «math.max(wall + ttl, math.ceil(state.token / 1000)) + keep_ms»",
                "wall + ttl",
            ),
            Replace::new(Common, "local keep_ms, slack_ms = 3600000, «600000»", "0"),
        ],
        TOKENS,
        &[Calm],
        (Calm, 1),
    ),
    mutant(
        "a_slot_is_given_twice",
        None,
        &[Replace::new(Common, "«put('high', last + 1)»", "")],
        &[ServerLimit, ExclusiveSlot],
        &[Calm],
        (Calm, 4),
    ),
    mutant(
        "slots_come_back_once_too_often",
        None,
        &[Replace::new(
            Common,
            "put('used', state.used - «(last - first + 1)»)",
            "(last - first + 2)",
        )],
        &[ServerLimit, AtMostLimit],
        &[Calm],
        (Calm, 1),
    ),
    mutant(
        "force_ends_no_lease",
        None,
        &[Replace::new(ForceRelease, "«end_lease(id, text)»", "")],
        &[IdlePermit, ServerLimit, NoLeak],
        &[Operators],
        (Operators, 5),
    ),
    mutant(
        "force_serves_nobody",
        None,
        &[Replace::new(
            ForceRelease,
            "if state.used > 0 then sweep() end
«serve()»",
            "",
        )],
        &[IdlePermit],
        &[Operators],
        (Operators, 19),
    ),
    mutant(
        "resize_serves_nobody",
        None,
        &[Replace::new(
            Resize,
            "if state.used > 0 then sweep() end
«serve()»",
            "",
        )],
        &[IdlePermit],
        &[Operators],
        (Operators, 7),
    ),
    mutant(
        "an_override_of_the_limit_is_ignored",
        None,
        &[Replace::new(
            Common,
            "return «state.limit > 0 and state.limit or »claim.limit",
            "",
        )],
        &[ServerLimit, IdlePermit],
        &[Operators],
        (Operators, 5),
    ),
    mutant(
        "the_shortcut_ignores_an_override_of_the_limit",
        None,
        &[Replace::new(
            AcquireFree,
            "and is_zero(got[5])« and is_zero(got[6])» then",
            "",
        )],
        &[ServerLimit],
        &[Operators],
        (Operators, 14),
    ),
    mutant(
        "everybody_has_the_same_ticket",
        None,
        &[Replace::new(Acquire, "put('ticket', «state.ticket + 1»)", "1")],
        &[Fifo],
        &[Calm],
        (Calm, 4),
    ),
    mutant(
        "asking_again_goes_to_the_end",
        None,
        &[Replace::new(
            Acquire,
            "elseif kind == 'q' then
  if «redis.call('ZSCORE', KEYS[4], id)» then",
            "redis.call('ZREM', KEYS[4], id) == 2",
        )],
        &[Fifo],
        &[Calm],
        (Calm, 4),
    ),
    mutant(
        "refresh_extends_nothing",
        None,
        &[Replace::new(Refresh, "«send(renew, 'ZADD', KEYS[2], leases)»", "")],
        &[LossTold, NoSpuriousLoss, ExclusiveSlot],
        &[Calm],
        (Calm, 1),
    ),
    mutant(
        "a_waiter_that_leaves_stays_queued",
        None,
        &[Replace::new(
            Release,
            "answer = 2
  «waiters().leave(id, text)»",
            "",
        )],
        &[PromptReturn, NoLeak],
        &[Calm],
        (Calm, 1),
    ),
    mutant(
        "a_lost_key_of_leases_frees_nothing",
        None,
        &[Replace::new(
            Common,
            "if «state.used > 0» then -- The lease key",
            "false",
        )],
        &[IdlePermit, NoLeak, Served],
        &[Memory],
        (Memory, 8),
    ),
    mutant(
        "a_lost_queue_blocks_newcomers",
        None,
        &[Replace::new(Common, "«put(count, 0)» -- An evicted", "")],
        &[IdlePermit, Served],
        &[Memory],
        (Memory, 235),
    ),
    mutant(
        "a_lost_state_leaves_the_rest",
        None,
        &[Replace::new(
            Common,
            "if «absent and redis.call('EXISTS', KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]) > 0» then",
            "false",
        )],
        &[IdlePermit, Served, ServerLimit],
        &[Memory],
        (Memory, 6),
    ),
    mutant(
        "a_lost_key_of_free_slots_is_not_found_again",
        None,
        &[Replace::new(
            Common,
            "if «#popped < 2 * count» then
      find()",
            "false",
        )],
        &[ServerLimit, AtMostLimit],
        &[Memory],
        (Memory, 250),
    ),
    mutant(
        "refresh_does_not_look_at_the_expiry",
        None,
        &[
            Replace::new(Refresh, "local _, alive = «sweep()»", "nil, nil"),
            Replace::new(Refresh, "not (expiry and «tonumber(expiry) > now») then", "true"),
        ],
        &[EndFinal],
        &[Lapses, Processes, Network],
        (Lapses, 41),
    ),
    mutant(
        "a_permit_taken_by_force_leaves_no_tombstone",
        None,
        &[Replace::new(ForceRelease, "«bury(id, 'f', claim.ttl)»", "")],
        &[EndFinal],
        &[Operators],
        (Operators, 81),
    ),
    mutant(
        "a_quiet_process_counts_as_patient",
        None,
        &[Replace::new(
            Common,
            "return patience and «tonumber(patience) >= now»",
            "true",
        )],
        &[HandOver],
        &[Processes],
        (Processes, 37),
    ),
    mutant(
        "a_waiting_process_counts_as_quiet",
        None,
        &[Replace::new(
            Common,
            "return patience and «tonumber(patience) >= now»",
            "false",
        )],
        &[Fifo],
        &[Calm],
        (Calm, 4),
    ),
    mutant(
        "stepless_time_steps",
        None,
        &[Replace::new(
            Common,
            "«math.max(math.min(wall - state.last, state.cap), 0)»",
            "math.max(wall - state.last, 0)",
        )],
        &[LossTold, ExclusiveSlot, AtMostLimit, Stolen],
        &[Steps],
        (Steps, 2),
    ),
    mutant(
        "stepless_time_goes_back",
        None,
        &[Replace::new(
            Common,
            "«math.max(math.min(wall - state.last, state.cap), 0)»",
            "math.min(wall - state.last, state.cap)",
        )],
        &[NoLeak, Served, NothingLeft],
        &[Steps],
        (Steps, 111),
    ),
    mutant(
        "stepless_leases_are_not_longer",
        None,
        &[Replace::new(Common, "«slack = state.cap»", "")],
        &[LossTold, ExclusiveSlot, AtMostLimit],
        &[Steps, Skew],
        (Steps, 17),
    ),
    mutant(
        "a_server_votes_during_its_grace",
        None,
        &[Replace::new(
            Vote,
            "state.used + claim.weight > limit or «grace_left() > 0» then return nil end",
            "false",
        )],
        &[AtMostLimit, ExclusiveSlot],
        &[Quorum],
        (Quorum, 41),
    ),
    mutant(
        "a_server_votes_without_the_guard",
        None,
        &[Replace::new(
            Common,
            "if «state.gen == generation.base» then return state.token end",
            "true",
        )],
        TOKENS,
        &[Quorum],
        (Quorum, 65),
    ),
    mutant(
        "a_server_does_not_say_what_it_knew_before",
        None,
        &[Replace::new(
            Vote,
            "write({token = proposed, ranges = ranges, before = «before», asked = proposed})",
            "0",
        )],
        TOKENS,
        &[Quorum],
        (Quorum, 1),
    ),
    mutant(
        "a_server_votes_for_slots_that_are_taken",
        None,
        &[Replace::new(
            Common,
            "if not redis.call('ZSCORE', KEYS[3], slot) then return «false» end",
            "true",
        )],
        &[AtMostLimit, ExclusiveSlot, NothingLeft],
        &[Quorum],
        (Quorum, 93),
    ),
    mutant(
        "a_vote_that_was_counted_is_dealt_out",
        None,
        &[Replace::new(
            Vote,
            "if kind_of(text) == 'h' and (holder == id or «not vote_of(text).asked») then",
            "true",
        )],
        &[AtMostLimit, ExclusiveSlot, LossTold],
        &[Quorum],
        (Quorum, 154),
    ),
];
