//! Clauses on single verbs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;

use super::lab::{LONG, Lab, TTL};
use crate::backend::{Added, Attempt, Claim, Grant, Queueing, Standing};
use crate::fence::FencingToken;

/// More than anybody has.
const REPLICAS: u32 = 90;

pub(super) async fn slots_of_live_holders_are_distinct_and_below_the_limit(lab: Lab) {
    let mut slots = BTreeSet::new();

    for _ in 0..5 {
        let grant = lab.grant(&lab.claim(5)).await;
        slots.extend(grant.slots);
    }

    assert_eq!(slots, BTreeSet::from([0, 1, 2, 3, 4]));
}

pub(super) async fn no_more_than_the_limit_are_granted(lab: Lab) {
    for _ in 0..3 {
        lab.grant(&lab.claim(3)).await;
    }

    let attempt = lab.ask(&lab.claim(3), Queueing::Never).await;

    let Attempt::Busy(busy) = attempt else {
        panic!("a fourth of three was granted: {attempt:?}");
    };
    assert_eq!((busy.used, busy.limit), (3, 3));
}

pub(super) async fn the_same_claim_again_gets_the_same_grant(lab: Lab) {
    let claim = lab.claim(2);
    let first = lab.grant(&claim).await;

    let second = lab.grant(&claim).await;

    assert_eq!((first.token, first.slots), (second.token, second.slots));
    assert_eq!(lab.status(&claim).await.holders.len(), 1);
}

pub(super) async fn the_same_claim_again_gets_a_fresh_lease(lab: Lab) {
    let claim = lab.brief_claim(1);
    lab.grant(&claim).await;
    lab.sleep(TTL * 2 / 3).await;

    lab.grant(&claim).await;
    lab.sleep(TTL * 2 / 3).await;

    assert!(
        lab.is_busy(&lab.brief_claim(1)).await,
        "the lease counts from the latest acquire"
    );
}

pub(super) async fn a_released_permit_can_be_taken_at_once(lab: Lab) {
    let claim = lab.claim(1);
    lab.grant(&claim).await;

    assert_eq!(lab.release(&claim).await, Standing::Held);

    assert_eq!(lab.grant(&lab.claim(1)).await.slots, [0]);
}

pub(super) async fn a_release_by_a_stranger_frees_nothing(lab: Lab) {
    let holder = lab.claim(1);
    lab.grant(&holder).await;

    let answer = lab.release(&lab.claim(1)).await;

    assert_eq!(answer, Standing::Absent);
    assert!(lab.is_busy(&lab.claim(1)).await);
    assert_eq!(lab.refresh(&holder).await, Standing::Held);
}

pub(super) async fn a_second_release_frees_nobody_elses_permit(lab: Lab) {
    let (first, second) = (lab.claim(1), lab.claim(1));
    lab.grant(&first).await;
    lab.release(&first).await;
    lab.grant(&second).await;

    let again = lab.release(&first).await;

    assert_eq!(again, Standing::Absent);
    assert_eq!(lab.refresh(&second).await, Standing::Held);
}

pub(super) async fn an_expired_lease_is_not_brought_back(lab: Lab) {
    let claim = lab.brief_claim(1);
    lab.grant(&claim).await;
    lab.outlast_a_lease().await;

    assert_eq!(lab.refresh(&claim).await, Standing::Absent);

    lab.grant(&lab.brief_claim(1)).await;
    assert_eq!(lab.refresh(&claim).await, Standing::Absent);
}

pub(super) async fn an_expired_lease_makes_room(lab: Lab) {
    lab.grant(&lab.brief_claim(1)).await;

    lab.outlast_a_lease().await;

    assert_eq!(lab.grant(&lab.brief_claim(1)).await.slots, [0]);
}

pub(super) async fn a_refresh_extends_the_lease_to_one_ttl_from_now(lab: Lab) {
    let claim = lab.brief_claim(1);
    lab.grant(&claim).await;

    for _ in 0..3 {
        lab.sleep(TTL * 2 / 3).await;
        assert_eq!(lab.refresh(&claim).await, Standing::Held);
    }

    assert!(lab.is_busy(&lab.brief_claim(1)).await);
    lab.outlast_a_lease().await;
    assert_eq!(lab.refresh(&claim).await, Standing::Absent);
}

pub(super) async fn waiting_for_replicas_extends_the_lease_and_counts_no_more_than_there_are(lab: Lab) {
    let claim = lab.brief_claim(1);
    let held = lab.holding(&claim, lab.grant(&claim).await);

    for _ in 0..3 {
        lab.sleep(TTL * 2 / 3).await;
        let acknowledged = lab.acknowledge(&held, REPLICAS).await;
        assert_eq!(acknowledged.standing, Standing::Held);
        assert!(acknowledged.replicas < REPLICAS, "nobody has so many");
    }

    assert_eq!(lab.refresh(&held).await, Standing::Held);
}

pub(super) async fn a_grant_that_is_gone_is_not_acknowledged(lab: Lab) {
    let claim = lab.claim(1);
    let held = lab.holding(&claim, lab.grant(&claim).await);
    lab.release(&claim).await;
    lab.grant(&lab.claim(1)).await;

    assert_eq!(lab.acknowledge(&held, 1).await.standing, Standing::Absent);
}

pub(super) async fn one_refresh_answers_for_many_names_in_order(lab: Lab) {
    let claims: Vec<Claim> = (0..6)
        .map(|index| lab.claim_of(["a", "b", "c"][index % 3], 2))
        .collect();
    let held = [true, false, true, true, false, false];
    for (claim, _) in claims.iter().zip(held).filter(|(_, held)| *held) {
        lab.grant(claim).await;
    }

    let answers = lab.backend.refresh(&claims).await;

    let answers: Vec<bool> = answers
        .into_iter()
        .map(|answer| answer.expect("a refresh is answered") == Standing::Held)
        .collect();
    assert_eq!(answers, held);
}

pub(super) async fn tokens_grow_with_every_grant(lab: Lab) {
    let mut tokens = Vec::new();

    for round in 0..8 {
        let claim = lab.brief_claim(2);
        tokens.push(lab.grant(&claim).await.token);
        if round % 3 == 0 {
            lab.outlast_a_lease().await;
        } else {
            lab.release(&claim).await;
        }
    }

    assert!(tokens.is_sorted_by(|earlier, later| earlier < later), "{tokens:?}");
    assert!(tokens.iter().all(|token| token.as_u64() < 1 << 53), "{tokens:?}");
}

pub(super) async fn several_permits_are_had_all_or_none(lab: Lab) {
    let weighted = |weight| Claim { weight, ..lab.claim(5) };
    let (three, two, one) = (weighted(3), weighted(2), weighted(1));
    assert_eq!(lab.grant(&three).await.slots.len(), 3);
    lab.grant(&one).await;

    assert!(lab.is_busy(&two).await, "one of two is none");

    assert_eq!(lab.status(&one).await.used(), 4);
    lab.release(&three).await;
    assert_eq!(lab.grant(&two).await.slots.len(), 2);
    assert_eq!(lab.status(&one).await.used(), 3);
}

pub(super) async fn more_than_the_limit_in_force_is_refused(lab: Lab) {
    let heavy = Claim {
        weight: 3,
        ..lab.claim(3)
    };
    lab.backend
        .resize(&heavy.name, Some(2))
        .await
        .expect("a resize is answered");

    let attempt = lab.ask(&heavy, Queueing::HandOff).await;

    assert_eq!(attempt, Attempt::Oversized { limit: 2 });
}

pub(super) async fn a_release_that_overtakes_its_acquire_leaves_nothing_to_take(lab: Lab) {
    let late = lab.claim(1);
    assert_eq!(lab.release(&late).await, Standing::Absent);

    let attempt = lab.ask(&late, Queueing::HandOff).await;

    assert_eq!(attempt, Attempt::GivenUp);
    lab.grant(&lab.claim(1)).await;
}

pub(super) async fn a_doubtful_release_bars_late_copies_of_the_acquire(lab: Lab) {
    let claim = lab.claim(1);
    lab.grant(&claim).await;
    let doubtful = Claim {
        doubtful: true,
        ..claim.clone()
    };
    assert_eq!(lab.release(&doubtful).await, Standing::Held);

    let attempt = lab.ask(&claim, Queueing::Never).await;

    assert_eq!(attempt, Attempt::GivenUp);
    lab.grant(&lab.claim(1)).await;
}

pub(super) async fn a_refresh_under_another_token_extends_nothing(lab: Lab) {
    let claim = lab.claim(1);
    let grant = lab.grant(&claim).await;
    let under = |token: u64| Claim {
        grant: Some(Arc::new(Grant {
            token: FencingToken::from_u64(token),
            ..grant.clone()
        })),
        ..claim.clone()
    };

    let token = grant.token.as_u64();
    assert_eq!(lab.refresh(&under(token - 1)).await, Standing::Absent);
    assert_eq!(lab.refresh(&under(token)).await, Standing::Held);
}

pub(super) async fn a_forced_release_makes_room_and_says_so(lab: Lab) {
    let claim = lab.claim(1);
    lab.grant(&claim).await;

    let forced = lab.backend.force_release(&claim.name, claim.holder).await;

    assert_eq!(forced.expect("a forced release is answered"), Standing::Held);
    assert_eq!(lab.refresh(&claim).await, Standing::Forced);
    lab.grant(&lab.claim(1)).await;
    assert_eq!(lab.release(&claim).await, Standing::Forced);
}

pub(super) async fn lowering_the_limit_interrupts_nobody(lab: Lab) {
    let claims = [lab.claim(3), lab.claim(3), lab.claim(3)];
    for claim in &claims {
        lab.grant(claim).await;
    }

    let before = lab.backend.resize(&claims[0].name, Some(1)).await;

    assert_eq!(before.expect("a resize is answered"), None);
    for claim in &claims {
        assert_eq!(lab.refresh(claim).await, Standing::Held);
    }
    lab.release(&claims[0]).await;
    lab.release(&claims[1]).await;
    assert!(lab.is_busy(&lab.claim(3)).await, "the limit in force is one");
    let before = lab.backend.resize(&claims[0].name, None).await;
    assert_eq!(before.expect("a resize is answered"), Some(1));
    lab.grant(&lab.claim(3)).await;
}

pub(super) async fn two_programs_with_different_limits_are_reported(lab: Lab) {
    let first = lab.grant(&lab.claim(3)).await;

    let second = lab.grant(&lab.claim(5)).await;

    assert_eq!((first.limit, first.other_limit), (3, None));
    assert_eq!((second.limit, second.other_limit), (5, Some(3)));
    assert!(lab.is_busy(&lab.claim(2)).await, "each caller's own limit counts");
}

pub(super) async fn adding_permits_raises_the_limit_in_force(lab: Lab) {
    let claim = lab.claim(3);
    lab.grant(&claim).await;

    let to_our_own = lab.add_permits(3, 2).await;
    let to_what_is_stored = lab.add_permits(9, 1).await;

    assert_eq!(to_our_own, Added::Raised { limit: 5 });
    assert_eq!(to_what_is_stored, Added::Raised { limit: 6 });
    assert_eq!(lab.status(&claim).await.limit_override, Some(6));
    for _ in 0..5 {
        lab.grant(&lab.claim(3)).await;
    }
    assert!(lab.is_busy(&lab.claim(3)).await);
}

pub(super) async fn an_addition_that_comes_twice_counts_once(lab: Lab) {
    let addition = lab.addition(1, 1);

    for _ in 0..3 {
        let added = lab.backend.add_permits(&addition).await;
        assert_eq!(added.expect("an addition is answered"), Added::Raised { limit: 2 });
    }

    assert_eq!(lab.status(&lab.claim(1)).await.limit_override, Some(2));
}

pub(super) async fn additions_at_the_same_time_all_count(lab: Lab) {
    join_all((0..8).map(|_| lab.add_permits(1, 1))).await;

    assert_eq!(lab.status(&lab.claim(1)).await.limit_override, Some(9));
}

pub(super) async fn what_would_be_above_the_largest_limit_is_not_added(lab: Lab) {
    const MOST: u32 = 65_536;
    assert_eq!(lab.add_permits(MOST - 1, 2).await, Added::TooMany { limit: MOST - 1 });
    assert_eq!(lab.add_permits(MOST - 1, 1).await, Added::Raised { limit: MOST });

    let added = lab.add_permits(1, 1).await;

    assert_eq!(added, Added::TooMany { limit: MOST });
    assert_eq!(lab.status(&lab.claim(1)).await.limit_override, Some(MOST));
}

pub(super) async fn status_shows_who_holds_and_who_waits(lab: Lab) {
    let (holder, ended, waiter) = (lab.claim(1), lab.brief_claim(1), lab.claim(1));
    lab.grant(&ended).await;
    lab.outlast_a_lease().await;
    let grant = lab.grant(&holder).await;
    lab.join(&waiter, Queueing::HandOff).await;

    let status = lab.status(&holder).await;

    assert_eq!((status.used(), status.holders_total, status.waiters_total), (1, 1, 1));
    assert_eq!((status.limit(), status.token), (Some(1), Some(grant.token)));
    let shown = &status.holders[0];
    assert_eq!(
        (shown.holder, shown.token, &shown.slots),
        (holder.holder, grant.token, &grant.slots)
    );
    assert_eq!((shown.meta.as_str(), shown.ttl), ("process=clause", LONG));
    assert!(shown.since <= status.now && status.now < shown.expires);
    let shown = &status.waiters[0];
    assert_eq!(
        (shown.holder, shown.weight, shown.queueing),
        (waiter.holder, 1, Queueing::HandOff)
    );
    assert_eq!(shown.meta, "process=clause");
}

pub(super) async fn looking_changes_nothing(lab: Lab) {
    let claim = lab.brief_claim(1);
    lab.grant(&claim).await;

    for _ in 0..3 {
        assert_eq!(lab.status(&claim).await.holders.len(), 1);
    }

    assert_eq!(lab.refresh(&claim).await, Standing::Held);
    lab.outlast_a_lease().await;
    assert_eq!(lab.status(&claim).await.holders.len(), 0);
    assert_eq!(lab.refresh(&claim).await, Standing::Absent);
}

pub(super) async fn the_backends_clock_moves(lab: Lab) {
    let first = lab.backend.time().await.expect("the clock is read");
    lab.sleep(Duration::from_millis(50)).await;
    let second = lab.backend.time().await.expect("the clock is read");

    let passed = second.as_micros().saturating_sub(first.as_micros());

    assert!((40_000..20_000_000).contains(&passed), "{passed} us for 50 ms");
}

pub(super) async fn names_in_use_are_listed(lab: Lab) {
    lab.grant(&lab.claim_of("b/{1}", 1)).await;
    lab.grant(&lab.claim_of("a", 1)).await;

    let names = lab.backend.list("conformance").await.expect("names are listed");

    let mut names: Vec<&str> = names.iter().map(crate::Name::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["a", "b/{1}"]);
    assert!(
        lab.backend
            .list("elsewhere")
            .await
            .expect("names are listed")
            .is_empty()
    );
}

pub(super) async fn odd_names_are_kept_apart(lab: Lab) {
    let names = [
        "a", "A", "a ", "a/b", "a&b", "{a}", "}a{", "a*", "a?", "[a]", "a\0", "a\r\n", "ä", "%61", "a:b", "🔒",
    ];
    let claims: Vec<Claim> = names.iter().map(|name| lab.claim_of(name, 1)).collect();

    for claim in &claims {
        lab.grant(claim).await;
    }

    for claim in &claims {
        assert_eq!(
            lab.status(claim).await.holders[0].holder,
            claim.holder,
            "{:?}",
            claim.name
        );
        assert_eq!(lab.release(claim).await, Standing::Held);
    }
}

pub(super) async fn the_keepers_handle_sees_the_same_store(lab: Lab) {
    let claim = lab.claim(1);
    lab.grant(&claim).await;
    let keeper = lab.backend.keeper_handle();

    let refreshed = keeper.refresh(std::slice::from_ref(&claim)).await;
    let released = keeper.release(&claim).await;

    assert_eq!(refreshed[0].clone().expect("a refresh is answered"), Standing::Held);
    assert_eq!(released.expect("a release is answered"), Standing::Held);
    lab.grant(&lab.claim(1)).await;
}
