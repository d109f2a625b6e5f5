//! Clauses on waiting, seen from the backend.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::BoxStream;

use super::lab::{Lab, TTL};
use crate::backend::{Attempt, Claim, Queued, Queueing, Standing, Wakeup};
use crate::holder::Inbox;

/// The messages that arrive until none has for a while.
async fn messages(lab: &Lab, wakeups: &mut BoxStream<'static, Wakeup>) -> Vec<Wakeup> {
    let mut arrived = Vec::new();
    loop {
        tokio::select! {
            biased;
            wakeup = wakeups.next() => arrived.push(wakeup.expect("the stream goes on")),
            () = lab.sleep(Duration::from_millis(200)) => return arrived,
        }
    }
}

async fn listen(lab: &Lab) -> BoxStream<'static, Wakeup> {
    lab.backend
        .notify(Inbox::from_bits(1))
        .await
        .expect("a subscription is confirmed")
}

async fn queued(lab: &Lab, claim: &Claim) -> Queued {
    match lab.ask(claim, Queueing::HandOff).await {
        Attempt::Queued(queued) => queued,
        other => panic!("still in the queue: {other:?}"),
    }
}

async fn is_granted(lab: &Lab, claim: &Claim) -> bool {
    matches!(lab.ask(claim, Queueing::HandOff).await, Attempt::Granted(_))
}

pub(super) async fn waiters_are_served_in_the_order_of_arrival(lab: Lab) {
    let mut holder = lab.claim(1);
    lab.grant(&holder).await;
    let waiters = [lab.claim(1), lab.claim(1), lab.claim(1)];
    for waiter in &waiters {
        lab.join(waiter, Queueing::HandOff).await;
    }

    for (index, waiter) in waiters.iter().enumerate() {
        lab.release(&holder).await;
        for behind in &waiters[index + 1..] {
            assert!(
                !is_granted(&lab, behind).await,
                "nobody is served before waiter {index}"
            );
        }
        assert!(is_granted(&lab, waiter).await, "waiter {index} is served");
        holder = waiter.clone();
    }
}

pub(super) async fn a_newcomer_does_not_pass_the_queue(lab: Lab) {
    let (holder, waiter, newcomer) = (lab.claim(1), lab.claim(1), lab.claim(1));
    lab.grant(&holder).await;
    lab.join(&waiter, Queueing::HandOff).await;

    lab.release(&holder).await;

    assert!(lab.is_busy(&newcomer).await);
    assert!(is_granted(&lab, &waiter).await);
}

pub(super) async fn a_large_request_at_the_head_is_not_starved(lab: Lab) {
    let holders = [lab.claim(3), lab.claim(3), lab.claim(3)];
    for holder in &holders {
        lab.grant(holder).await;
    }
    let large = Claim {
        weight: 3,
        ..lab.claim(3)
    };
    let small = lab.claim(3);
    lab.join(&large, Queueing::HandOff).await;
    lab.join(&small, Queueing::HandOff).await;

    lab.release(&holders[0]).await;
    assert!(!is_granted(&lab, &small).await, "one is free, but the head wants three");
    assert!(lab.is_busy(&lab.claim(3)).await);
    lab.release(&holders[1]).await;
    lab.release(&holders[2]).await;

    assert!(is_granted(&lab, &large).await);
    assert!(!is_granted(&lab, &small).await);
}

pub(super) async fn a_dead_head_blocks_no_longer_than_its_claim_window(lab: Lab) {
    let window = TTL / 4;
    let of_window = |claim| Claim { window, ..claim };
    let holder = lab.claim(1);
    let dead = [of_window(lab.claim(1)), of_window(lab.claim(1))];
    let alive = of_window(lab.claim(1));
    lab.grant(&holder).await;
    for waiter in dead.iter().chain([&alive]) {
        lab.join(waiter, Queueing::HandOff).await;
    }
    lab.release(&holder).await;

    for waiter in 0..dead.len() {
        assert!(
            !is_granted(&lab, &alive).await,
            "dead waiter {waiter} still has its window"
        );
        lab.sleep(window + Duration::from_millis(20)).await;
    }

    assert!(is_granted(&lab, &alive).await);
}

pub(super) async fn a_waiter_whose_process_went_quiet_is_skipped(lab: Lab) {
    let holder = lab.claim(1);
    let quiet = Claim {
        inbox: Inbox::from_bits(2),
        patience: Duration::from_millis(100),
        ..lab.claim(1)
    };
    let listening = lab.claim(1);
    lab.grant(&holder).await;
    lab.join(&quiet, Queueing::HandOff).await;
    lab.join(&listening, Queueing::HandOff).await;
    lab.sleep(Duration::from_millis(150)).await;

    lab.release(&holder).await;

    assert!(is_granted(&lab, &listening).await);
}

pub(super) async fn a_waiter_that_leaves_does_not_hold_up_those_behind_it(lab: Lab) {
    let holder = lab.claim(2);
    let large = Claim {
        weight: 2,
        ..lab.claim(2)
    };
    let small = lab.claim(2);
    lab.grant(&holder).await;
    lab.join(&large, Queueing::HandOff).await;
    lab.join(&small, Queueing::HandOff).await;

    let left = lab.release(&large).await;

    assert_eq!(left, Standing::Waiting);
    assert!(
        is_granted(&lab, &small).await,
        "one is free, and the head that wanted two is gone"
    );
    assert_eq!(lab.status(&holder).await.waiters_total, 0);
}

pub(super) async fn asking_again_keeps_the_place(lab: Lab) {
    let (holder, first, second) = (lab.claim(1), lab.claim(1), lab.claim(1));
    lab.grant(&holder).await;
    let mut answers = Vec::new();
    for claim in [&first, &second, &second, &first, &second] {
        answers.push(queued(&lab, claim).await);
    }

    let places = answers.iter().map(|queued| (queued.place, queued.is_new));
    let expected = [(1, true), (2, true), (2, false), (1, false), (2, false)];
    assert_eq!(places.collect::<Vec<_>>(), expected);
    assert_eq!(lab.status(&holder).await.waiters_total, 2);
}

pub(super) async fn a_waiter_is_told_when_the_next_lease_ends(lab: Lab) {
    let (holder, waiter) = (lab.brief_claim(1), lab.claim(1));
    lab.grant(&holder).await;

    let Attempt::Queued(queued) = lab.ask(&waiter, Queueing::HandOff).await else {
        panic!("a waiter joins the queue");
    };
    assert!((TTL / 2..=TTL).contains(&queued.look_after), "{:?}", queued.look_after);
    lab.sleep(queued.look_after + Duration::from_millis(5)).await;

    assert!(is_granted(&lab, &waiter).await, "the holder's lease has ended");
}

pub(super) async fn a_hand_off_is_announced_to_its_waiter(lab: Lab) {
    let mut wakeups = listen(&lab).await;
    let (holder, waiter) = (lab.claim(1), lab.claim(1));
    lab.grant(&holder).await;
    lab.join(&waiter, Queueing::HandOff).await;

    lab.release(&holder).await;

    assert_eq!(messages(&lab, &mut wakeups).await, [Wakeup::Look(waiter.holder)]);
}

pub(super) async fn a_wake_up_reaches_one_waiter_per_free_slot(lab: Lab) {
    let mut wakeups = listen(&lab).await;
    let (holder, first, second) = (lab.claim(1), lab.claim(1), lab.claim(1));
    lab.grant(&holder).await;
    lab.join(&first, Queueing::WakeUp).await;
    lab.join(&second, Queueing::WakeUp).await;

    lab.release(&holder).await;

    assert_eq!(messages(&lab, &mut wakeups).await, [Wakeup::Look(first.holder)]);
    lab.grant(&lab.claim(1)).await;
    let attempt = lab.ask(&first, Queueing::WakeUp).await;
    assert!(
        matches!(attempt, Attempt::Queued(_)),
        "a newcomer was faster: {attempt:?}"
    );
}

pub(super) async fn a_forced_release_is_announced_to_the_holder(lab: Lab) {
    let mut wakeups = listen(&lab).await;
    let holder = lab.claim(1);
    lab.grant(&holder).await;

    let forced = lab.backend.force_release(&holder.name, holder.holder).await;

    assert_eq!(forced.expect("a forced release is answered"), Standing::Held);
    assert_eq!(messages(&lab, &mut wakeups).await, [Wakeup::Forced(holder.holder)]);
}

pub(super) async fn raising_the_limit_serves_waiters(lab: Lab) {
    let waiters = [lab.claim(1), lab.claim(1), lab.claim(1)];
    lab.grant(&lab.claim(1)).await;
    for waiter in &waiters {
        lab.join(waiter, Queueing::HandOff).await;
    }

    lab.backend
        .resize(&waiters[0].name, Some(3))
        .await
        .expect("a resize is answered");

    assert_eq!(lab.status(&waiters[0]).await.used(), 3);
    assert!(is_granted(&lab, &waiters[0]).await && is_granted(&lab, &waiters[1]).await);
    assert!(!is_granted(&lab, &waiters[2]).await);
}

pub(super) async fn adding_permits_serves_waiters(lab: Lab) {
    let waiters = [lab.claim(1), lab.claim(1), lab.claim(1)];
    lab.grant(&lab.claim(1)).await;
    for waiter in &waiters {
        lab.join(waiter, Queueing::HandOff).await;
    }

    lab.add_permits(1, 2).await;

    assert_eq!(lab.status(&waiters[0]).await.used(), 3);
    assert!(is_granted(&lab, &waiters[0]).await && is_granted(&lab, &waiters[1]).await);
    assert!(!is_granted(&lab, &waiters[2]).await);
}

pub(super) async fn a_waiter_removed_by_force_does_not_come_back(lab: Lab) {
    let (holder, waiter) = (lab.claim(1), lab.claim(1));
    lab.grant(&holder).await;
    lab.join(&waiter, Queueing::HandOff).await;

    let forced = lab.backend.force_release(&waiter.name, waiter.holder).await;

    assert_eq!(forced.expect("a forced release is answered"), Standing::Waiting);
    assert_eq!(lab.ask(&waiter, Queueing::HandOff).await, Attempt::GivenUp);
    assert_eq!(lab.status(&holder).await.waiters_total, 0);
}
