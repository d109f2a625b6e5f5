//! How servers of a quorum that gave the same slots out in another order come to agree.

use semafence::{Ballot, Claim, LockBackend, Queueing, Stage, Standing, Vote, Wish};
use semafence_sim::run;

use crate::support::{Bench, id};
use crate::votes::{SOON, ballot, cast, vote};

/// What a claim sends that holds these slots with a majority.
fn holds(token: u64, slots: &[u32]) -> Ballot {
    Ballot {
        stage: Stage::Holds,
        ..ballot(token, Wish::Exactly(slots.to_vec()))
    }
}

async fn yields(bench: &Bench, claim: &Claim, token: u64) {
    let ballot = Ballot {
        stage: Stage::Yields,
        ..ballot(token, Wish::From(0))
    };
    let answer = vote(bench, claim, Queueing::Never, &ballot).await;
    assert!(matches!(answer, Vote::Busy(..)), "{answer:?}");
}

/// The slots of a claim, which it asks for once more.
async fn slots(bench: &Bench, claim: &Claim, token: u64) -> Vec<u32> {
    cast(bench, claim, &ballot(token, Wish::From(0))).await.grant.slots
}

#[test]
fn who_holds_slots_gets_them_from_who_asked_before_and_gives_its_own_for_them() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        let (winner, other) = (bench.claim(1), bench.claim(2));
        cast(&bench, &winner, &ballot(SOON, Wish::From(0))).await;
        cast(&bench, &other, &ballot(SOON + 1, Wish::From(1))).await;

        let held = cast(&bench, &winner, &holds(SOON + 2, &[1])).await;

        assert_eq!((held.grant.slots, held.grant.token.as_u64()), (vec![1], SOON + 2));
        assert_eq!(slots(&bench, &other, SOON + 3).await, [0]);
        bench.release(&winner).await;
        bench.release(&other).await;
        assert_eq!(bench.status().await.used(), 0);
    });
}

#[test]
fn who_asked_later_may_have_won_since_and_is_not_overruled() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        let (late, other) = (bench.claim(1), bench.claim(2));
        cast(&bench, &late, &ballot(SOON, Wish::From(0))).await;
        cast(&bench, &other, &ballot(SOON + 1, Wish::From(1))).await;
        // Its vote has an older token, but it has asked again since.
        cast(&bench, &other, &ballot(SOON + 9, Wish::From(1))).await;

        let kept = cast(&bench, &late, &holds(SOON + 5, &[1])).await;

        assert_eq!(kept.grant.slots, [0]);
        assert_eq!(slots(&bench, &other, SOON + 10).await, [1]);
    });
}

#[test]
fn who_only_confirms_overrules_nobody() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        let (first, other) = (bench.claim(1), bench.claim(2));
        cast(&bench, &first, &ballot(SOON, Wish::From(0))).await;
        cast(&bench, &other, &ballot(SOON + 1, Wish::From(1))).await;

        let confirming = Ballot {
            stage: Stage::Confirms,
            ..holds(SOON + 5, &[1])
        };
        let kept = cast(&bench, &first, &confirming).await;

        assert_eq!(kept.grant.slots, [0]);
    });
}

#[test]
fn who_has_not_asked_since_it_was_handed_slots_is_overruled_whatever_its_token() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let (holder, waiter, winner) = (bench.claim(1), bench.claim(2), bench.claim(3));
        cast(&bench, &holder, &ballot(SOON, Wish::From(0))).await;
        vote(&bench, &waiter, Queueing::HandOff, &ballot(SOON + 9, Wish::From(0))).await;
        bench.release(&holder).await;
        assert_eq!(bench.holders().await, [id(2)]);

        let held = cast(&bench, &winner, &holds(SOON + 1, &[0])).await;

        assert_eq!(held.grant.slots, [0]);
        assert_eq!(bench.holders().await, [id(3)]);
    });
}

#[test]
fn several_slots_change_places_with_those_of_several_claims() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 6);
        let (winner, one, other) = (bench.weighing(1, 3), bench.claim(2), bench.weighing(3, 2));
        cast(&bench, &winner, &ballot(SOON, Wish::From(0))).await;
        cast(&bench, &one, &ballot(SOON + 1, Wish::From(3))).await;
        cast(&bench, &other, &ballot(SOON + 2, Wish::From(4))).await;

        let held = cast(&bench, &winner, &holds(SOON + 3, &[2, 3, 4])).await;

        assert_eq!(held.grant.slots, [2, 3, 4]);
        let mut left = slots(&bench, &one, SOON + 4).await;
        left.extend(slots(&bench, &other, SOON + 5).await);
        left.sort_unstable();
        assert_eq!(left, [0, 1, 5]);
        assert_eq!(bench.status().await.used(), 6);
    });
}

#[test]
fn those_whose_votes_are_for_different_slots_get_them_in_one_order_on_all_servers() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 4);
        let claims = [3, 1, 2].map(|number| bench.claim(number));
        for (claim, at) in claims.iter().zip(1..) {
            cast(&bench, claim, &ballot(SOON + at, Wish::From(0))).await;
        }
        let settled = bench.claim(4);
        cast(&bench, &settled, &ballot(SOON + 5, Wish::From(0))).await;

        for (claim, at) in claims.iter().zip(10..) {
            yields(&bench, claim, SOON + at).await;
        }

        for (number, slot) in [(1, 0), (2, 1), (3, 2), (4, 3)] {
            assert_eq!(slots(&bench, &bench.claim(number), SOON + 20).await, [slot]);
        }
    });
}

#[test]
fn a_claim_that_has_asked_since_does_not_yield_to_a_late_message_of_its_own() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        let (first, second) = (bench.claim(2), bench.claim(1));
        cast(&bench, &first, &ballot(SOON, Wish::From(0))).await;
        cast(&bench, &second, &ballot(SOON + 1, Wish::From(1))).await;
        cast(&bench, &first, &ballot(SOON + 8, Wish::From(0))).await;

        yields(&bench, &first, SOON + 5).await;
        yields(&bench, &second, SOON + 6).await;

        assert_eq!(slots(&bench, &first, SOON + 9).await, [0]);
        assert_eq!(slots(&bench, &second, SOON + 9).await, [1]);
    });
}

#[test]
fn a_claim_that_yields_what_it_has_no_more_takes_nothing() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);

        yields(&bench, &bench.claim(1), SOON).await;

        assert_eq!(bench.holders().await, []);
    });
}

/// It would be as if nobody had had the slot meanwhile: two would hold it.
#[test]
fn who_was_moved_to_a_slot_has_not_voted_for_it_before() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        let (winner, other) = (bench.claim(1), bench.claim(2));
        cast(&bench, &other, &ballot(SOON + 1, Wish::From(0))).await;
        cast(&bench, &winner, &ballot(SOON, Wish::From(1))).await;
        cast(&bench, &winner, &holds(SOON + 8, &[0])).await;

        let late = cast(&bench, &other, &ballot(SOON + 1, Wish::Exactly(vec![1]))).await;

        assert_eq!(late.grant.slots, [1]);
        assert!(late.before.as_u64() >= SOON + 8, "{late:?}");
    });
}

#[test]
fn slots_that_overlap_its_own_are_free_to_a_claim() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 3);
        let claim = bench.weighing(1, 2);
        cast(&bench, &claim, &ballot(SOON, Wish::From(0))).await;

        let moved = cast(&bench, &claim, &ballot(SOON + 1, Wish::Exactly(vec![1, 2]))).await;

        assert_eq!(moved.grant.slots, [1, 2]);
        assert_eq!(bench.status().await.used(), 2);
    });
}

#[test]
fn who_was_handed_slots_and_wants_others_that_are_taken_has_its_own() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        let (holder, other, waiter) = (bench.claim(1), bench.claim(2), bench.claim(3));
        cast(&bench, &holder, &ballot(SOON, Wish::From(0))).await;
        cast(&bench, &other, &ballot(SOON + 1, Wish::From(1))).await;
        vote(&bench, &waiter, Queueing::HandOff, &ballot(SOON + 2, Wish::From(0))).await;
        bench.release(&holder).await;

        let kept = cast(&bench, &waiter, &ballot(SOON + 3, Wish::Exactly(vec![1]))).await;

        assert_eq!((kept.grant.slots, kept.grant.token.as_u64()), (vec![0], SOON + 3));
    });
}

#[test]
fn under_a_smaller_limit_too_everybody_gets_as_many_slots_as_it_had() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 8);
        let claims: Vec<Claim> = (0..8).map(|number| bench.claim(number + 1)).collect();
        for (claim, slot) in claims.iter().zip(0..) {
            cast(&bench, claim, &ballot(SOON + u64::from(slot), Wish::From(slot))).await;
        }
        bench.backend.resize(&bench.name, Some(4)).await.unwrap();

        cast(&bench, &claims[6], &holds(SOON + 20, &[1])).await;

        assert_eq!(slots(&bench, &claims[1], SOON + 21).await, [6]);
        assert_eq!(bench.status().await.used(), 8);
    });
}

/// It may be moved again, or overruled whatever it has asked with: a majority must not rest on it.
#[test]
fn what_was_moved_is_not_kept_by_a_refresh_whichever_slot_it_is_for() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        let (winner, other) = (bench.claim(1), bench.claim(2));
        let grant = cast(&bench, &other, &ballot(SOON + 1, Wish::From(0))).await.grant;
        cast(&bench, &winner, &ballot(SOON, Wish::From(1))).await;
        let holding = |slot| Claim {
            grant: Some(
                semafence::Grant {
                    slots: vec![slot],
                    ..grant.clone()
                }
                .into(),
            ),
            ..other.clone()
        };
        assert_eq!(bench.refresh(&holding(0)).await, Standing::Held);

        cast(&bench, &winner, &holds(SOON + 8, &[0])).await;

        assert_eq!(bench.refresh(&holding(0)).await, Standing::Absent);
        assert_eq!(bench.refresh(&holding(1)).await, Standing::Absent);
    });
}

#[test]
fn a_confirmation_that_comes_late_takes_nothing_back() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let claim = bench.claim(1);
        cast(&bench, &claim, &ballot(SOON, Wish::From(0))).await;
        cast(&bench, &claim, &ballot(SOON + 9, Wish::From(0))).await;

        let confirming = Ballot {
            stage: Stage::Confirms,
            ..ballot(SOON + 5, Wish::Exactly(vec![0]))
        };
        let late = cast(&bench, &claim, &confirming).await;

        assert_eq!(late.grant.token.as_u64(), SOON);
    });
}
