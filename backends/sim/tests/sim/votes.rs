//! How one server of a quorum votes.

use semafence::{Ballot, Cast, Claim, FencingToken, LockBackend, Queueing, Stage, Standing, Vote, Wakeup, Wish};
use semafence_sim::{Persistence, run};

use crate::support::{Bench, TTL, id, next};

pub(crate) fn ballot(token: u64, wish: Wish) -> Ballot {
    Ballot {
        token: (token > 0).then(|| FencingToken::from_u64(token)),
        wish,
        ticket: None,
        stage: Stage::Asks,
    }
}

pub(crate) async fn vote(bench: &Bench, claim: &Claim, queueing: Queueing, ballot: &Ballot) -> Vote {
    bench.backend.vote(claim, queueing, ballot).await.unwrap()
}

pub(crate) async fn cast(bench: &Bench, claim: &Claim, ballot: &Ballot) -> Cast {
    match vote(bench, claim, Queueing::HandOff, ballot).await {
        Vote::Cast(cast, _) => cast,
        other => panic!("{:?} has no vote: {other:?}", claim.holder),
    }
}

fn token(number: u64) -> FencingToken {
    FencingToken::from_u64(number)
}

/// Above every token that the server has given by itself: it begins an hour and more ahead of its clock.
pub(crate) const SOON: u64 = 1_800_000_000_000_000;

#[test]
fn a_server_takes_free_slots_from_the_one_that_is_named_and_around() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 4);

        let first = cast(&bench, &bench.claim(1), &ballot(SOON, Wish::From(3))).await;
        let second = cast(&bench, &bench.weighing(2, 2), &ballot(SOON + 1, Wish::From(3))).await;

        assert_eq!((first.grant.slots, first.free), (vec![3], 0b1110));
        assert_eq!((second.grant.slots, second.free), (vec![0, 1], 0b1000));
    });
}

#[test]
fn a_vote_says_which_token_was_the_last_and_remembers_the_larger_one() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 3);

        let first = cast(&bench, &bench.claim(1), &ballot(SOON + 50, Wish::From(0))).await;
        let late = cast(&bench, &bench.claim(2), &ballot(SOON + 40, Wish::From(0))).await;
        let next = cast(&bench, &bench.claim(3), &ballot(SOON + 60, Wish::From(0))).await;

        assert!(first.before < first.grant.token);
        assert_eq!((late.grant.token, late.before), (token(SOON + 40), token(SOON + 50)));
        assert_eq!(next.before, token(SOON + 50));
    });
}

#[test]
fn a_claim_that_asks_again_gets_its_vote_again_and_only_another_round_changes_its_token() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 2);
        let claim = bench.claim(1);
        let first = cast(&bench, &claim, &ballot(SOON, Wish::From(1))).await;

        let again = cast(&bench, &claim, &ballot(SOON + 9, Wish::From(0))).await;
        let confirmed = Ballot {
            stage: Stage::Confirms,
            ..ballot(SOON + 20, Wish::Exactly(vec![1]))
        };
        let confirmed = cast(&bench, &claim, &confirmed).await;

        assert_eq!((&again.grant, again.before), (&first.grant, first.before));
        assert_eq!(
            (confirmed.grant.token, confirmed.before),
            (token(SOON + 20), token(SOON))
        );
        assert_eq!(confirmed.grant.slots, [1]);
    });
}

#[test]
fn a_claim_that_wants_other_slots_gets_them_where_they_are_free_and_else_keeps_its_own() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 3);
        let (moving, other) = (bench.claim(1), bench.claim(2));
        cast(&bench, &moving, &ballot(SOON, Wish::From(0))).await;
        cast(&bench, &other, &ballot(SOON + 1, Wish::From(1))).await;

        let moved = cast(&bench, &moving, &ballot(SOON + 2, Wish::Exactly(vec![2]))).await;
        assert_eq!(moved.grant.slots, [2]);
        let kept = cast(&bench, &moving, &ballot(SOON + 3, Wish::Exactly(vec![1]))).await;

        assert_eq!(kept.grant.slots, [2]);
        assert_eq!(bench.holders().await, [id(2), id(1)]);
    });
}

#[test]
fn a_ballot_that_comes_late_takes_nothing_from_a_later_one() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let claim = bench.claim(1);
        cast(&bench, &claim, &ballot(SOON, Wish::From(0))).await;
        // Its next attempt, and only then what gave the votes of the first one back.
        cast(&bench, &claim, &ballot(SOON + 10, Wish::From(0))).await;

        let late = cast(&bench, &claim, &ballot(SOON + 5, Wish::Exactly(Vec::new()))).await;

        assert_eq!(late.grant.slots, [0]);
        assert_eq!(bench.holders().await, [id(1)]);
    });
}

#[test]
fn a_vote_that_is_given_back_goes_to_the_next_in_the_queue_and_its_claim_waits_on() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let (first, second) = (bench.claim(1), bench.claim(2));
        let mut messages = bench.messages().await;
        cast(&bench, &first, &ballot(SOON, Wish::From(0))).await;
        let waits = vote(&bench, &second, Queueing::HandOff, &ballot(SOON + 1, Wish::From(0))).await;
        assert!(
            matches!(waits, Vote::Queued(queued, ticket, _) if queued.place == 1 && ticket == SOON + 1),
            "{waits:?}"
        );

        let given_back = vote(
            &bench,
            &first,
            Queueing::HandOff,
            &ballot(SOON + 2, Wish::Exactly(Vec::new())),
        )
        .await;

        assert!(
            matches!(given_back, Vote::Queued(queued, _, _) if queued.place == 1),
            "{given_back:?}"
        );
        assert_eq!(next(&mut messages).await, Some(Wakeup::Look(id(2))));
        assert_eq!(bench.holders().await, [id(2)]);
        // It was handed the slot under the server's own token, and now has the one that it proposes.
        let confirmed = cast(&bench, &second, &ballot(SOON + 3, Wish::From(0))).await;
        assert_eq!(confirmed.grant.token, token(SOON + 3));
    });
}

#[test]
fn waiters_are_in_the_order_of_the_tickets_that_they_agreed_on() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let (holder, first, second) = (bench.claim(1), bench.claim(2), bench.claim(3));
        cast(&bench, &holder, &ballot(SOON, Wish::From(0))).await;
        vote(&bench, &first, Queueing::HandOff, &ballot(SOON + 1, Wish::From(0))).await;
        vote(&bench, &second, Queueing::HandOff, &ballot(SOON + 2, Wish::From(0))).await;
        let later = Ballot {
            ticket: Some(SOON + 7),
            ..ballot(SOON + 3, Wish::From(0))
        };
        vote(&bench, &first, Queueing::HandOff, &later).await;

        bench.release(&holder).await;

        assert_eq!(bench.holders().await, [id(3)], "the other one has a later ticket now");
        let status = bench.status().await;
        assert_eq!(status.waiters[0].holder, id(2));
    });
}

#[test]
fn a_server_that_lost_its_data_votes_for_nobody_for_one_grace_and_then_only_above_what_was() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let careful = |id| Claim {
            grace: TTL,
            ..bench.claim(id)
        };
        let before = cast(&bench, &bench.claim(1), &ballot(0, Wish::From(0))).await;
        bench.server.crash();
        bench.server.restart(Persistence::Lost);

        let busy = vote(&bench, &careful(2), Queueing::Never, &ballot(0, Wish::From(0))).await;
        tokio::time::sleep(TTL).await;
        let after = cast(&bench, &careful(2), &ballot(0, Wish::From(0))).await;

        assert!(matches!(busy, Vote::Busy(..)), "{busy:?}");
        assert!(
            after.before > before.before,
            "so that a proposal has to be larger than what it forgot"
        );
    });
}

#[test]
fn what_a_claim_wants_that_was_released_is_not_given_to_it() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let claim = Claim {
            doubtful: true,
            ..bench.claim(1)
        };
        cast(&bench, &claim, &ballot(SOON, Wish::From(0))).await;
        assert_eq!(bench.release(&claim).await, Standing::Held);

        let late = vote(
            &bench,
            &claim,
            Queueing::Never,
            &ballot(SOON + 1, Wish::Exactly(vec![0])),
        )
        .await;

        assert!(matches!(late, Vote::Refused(_)), "{late:?}");
        assert_eq!(bench.holders().await, []);
    });
}

#[test]
fn a_ballot_that_wants_nothing_leaves_nothing_behind() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);

        let answer = vote(
            &bench,
            &bench.claim(1),
            Queueing::Never,
            &ballot(0, Wish::Exactly(Vec::new())),
        )
        .await;

        assert!(matches!(answer, Vote::Busy(..)), "{answer:?}");
        assert_eq!(bench.server.keys(), ["semafence:generation"]);
    });
}

#[test]
fn a_server_that_has_restarted_votes_for_nobody_for_one_grace_not_even_for_who_is_on_record() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let careful = Claim {
            grace: TTL,
            ttl: TTL * 4,
            ..bench.claim(1)
        };
        tokio::time::sleep(TTL).await;
        vote(&bench, &careful, Queueing::Never, &ballot(0, Wish::From(0))).await;
        tokio::time::sleep(TTL).await;
        let before = cast(&bench, &careful, &ballot(SOON, Wish::From(0))).await;
        bench.server.crash();
        bench.server.restart(Persistence::Kept);

        let asked = vote(&bench, &careful, Queueing::Never, &ballot(SOON + 1, Wish::From(0))).await;
        let named = Ballot {
            stage: Stage::Confirms,
            ..ballot(SOON + 2, Wish::Exactly(vec![0]))
        };
        let named = vote(&bench, &careful, Queueing::Never, &named).await;

        assert!(
            matches!((&asked, &named), (Vote::Busy(..), Vote::Busy(..))),
            "{asked:?} {named:?}"
        );
        let held = Claim {
            grace: std::time::Duration::ZERO,
            grant: Some(before.grant.into()),
            ..careful
        };
        assert_eq!(
            bench.refresh(&held).await,
            Standing::Held,
            "which it was granted before"
        );
    });
}

/// The token of a claim is proposed for whatever slots a server gives.
#[test]
fn a_refresh_of_other_slots_under_the_same_token_is_none() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 3);
        let claim = bench.claim(1);
        let cast = cast(&bench, &claim, &ballot(SOON, Wish::From(1))).await;
        let holding = |slots| Claim {
            grant: Some(
                semafence::Grant {
                    slots,
                    ..cast.grant.clone()
                }
                .into(),
            ),
            ..claim.clone()
        };

        assert_eq!(bench.refresh(&holding(vec![0])).await, Standing::Absent);
        assert_eq!(bench.refresh(&holding(vec![1])).await, Standing::Held);
    });
}

/// That a holder may overrule others rests on it: what they have here under older tokens must not count.
#[test]
fn a_refresh_under_a_token_that_the_server_has_not_heard_is_none() {
    run(1, |sim| async move {
        let bench = Bench::new(&sim, 1);
        let claim = bench.claim(1);
        let cast = cast(&bench, &claim, &ballot(SOON, Wish::From(0))).await;
        let holding = |token| Claim {
            grant: Some(
                semafence::Grant {
                    token: FencingToken::from_u64(token),
                    ..cast.grant.clone()
                }
                .into(),
            ),
            ..claim.clone()
        };

        assert_eq!(bench.refresh(&holding(SOON)).await, Standing::Held);
        assert_eq!(bench.refresh(&holding(SOON + 7)).await, Standing::Absent);
    });
}
