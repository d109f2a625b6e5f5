//! Where a claim stands with a majority, and how it comes to stand so with the others again.

use std::sync::Arc;
use std::time::Duration;

use super::Quorum;
use super::answers::Answers;
use crate::backend::{Claim, LockBackend, Queueing, Standing};
use crate::failure::BackendError;
use crate::vote::{Ballot, Stage, Wish};

/// What each server answers to a refresh of many claims.
type Standings = Vec<Result<Standing, BackendError>>;

/// A claim as it is refreshed: no server takes in what it has forgotten. It may have forgotten as well that it voted for
/// somebody else, who has heard that and still asks; so taking in would be a vote during the grace. It is asked for its vote
/// when that is over.
pub(super) fn to_refresh(claim: &Claim) -> Claim {
    Claim {
        grace: Duration::ZERO,
        ..claim.clone()
    }
}

/// Whether it is known of all claims.
pub(super) fn are_decided(answers: &Answers<Standings>, claims: usize, majority: usize) -> bool {
    (0..claims).all(|index| decide(&of(answers, index), majority).is_some())
}

/// The answers about one claim.
pub(super) fn of(answers: &Answers<Standings>, index: usize) -> Answers<Standing> {
    answers.each(|standings| standings[index].clone())
}

/// What a majority says, or that no majority can say that it holds.
pub(super) fn decide(answers: &Answers<Standing>, majority: usize) -> Option<Standing> {
    let count = |standing| answers.given().filter(|answer| **answer == standing).count();
    let agreed = [Standing::Held, Standing::Forced, Standing::Waiting, Standing::Absent];
    let agreed = agreed.into_iter().find(|standing| count(*standing) >= majority);
    let others = answers.given().count() - count(Standing::Held);
    agreed.or_else(|| (others >= majority).then(|| mixed(answers)))
}

/// What to say where servers differ: by force if any says so, since it is asked of all.
pub(super) fn mixed(answers: &Answers<Standing>) -> Standing {
    let any = |standing| answers.given().any(|answer| *answer == standing);
    let told = [Standing::Forced, Standing::Waiting]
        .into_iter()
        .find(|standing| any(*standing));
    told.unwrap_or(Standing::Absent)
}

/// What to say of a release where servers differ: a holder that was not told of a loss has not lost what one of them had.
pub(super) fn released(answers: &Answers<Standing>) -> Standing {
    let is_held = answers.given().any(|answer| *answer == Standing::Held);
    if is_held { Standing::Held } else { mixed(answers) }
}

/// Asks servers for their vote that know nothing of a claim, unless it is lost: they were away when it was granted, or have
/// forgotten it. Also where too few answered to keep it: it holds until its lease is over, and one of its servers may be down.
pub(super) fn heal<B: LockBackend>(quorum: &Quorum<B>, claims: &[Claim], answers: &Answers<Standings>) {
    let majority = quorum.majority();
    for (index, claim) in claims.iter().enumerate() {
        let standings = of(answers, index);
        if !matches!(decide(&standings, majority), Some(Standing::Held) | None) {
            continue;
        }
        for (server, standing) in standings.by_server() {
            if matches!(standing, Standing::Absent | Standing::Waiting) {
                ask_for_vote(quorum, server, claim);
            }
        }
    }
}

fn ask_for_vote<B: LockBackend>(quorum: &Quorum<B>, server: usize, claim: &Claim) {
    let Some(grant) = claim.grant.clone() else { return };
    let (node, claim) = (Arc::clone(&quorum.nodes[server].backend), claim.clone());
    let settling = quorum.unsettled.begin(claim.holder, server);
    tokio::spawn(async move {
        let ballot = Ballot {
            token: Some(grant.token),
            wish: Wish::Exactly(grant.slots.clone()),
            ticket: None,
            stage: Stage::Holds,
        };
        let vote = Box::pin(async move { node.vote(&claim, Queueing::Never, &ballot).await });
        let _the_next_refresh_tries_again = settling.until(vote).await;
    });
}
