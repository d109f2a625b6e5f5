//! What has ended on a server is not brought back on it.

use std::time::Duration;

use semafence::HolderId;

use crate::check::bounds::SLACK;
use crate::check::facts::Facts;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::{Trouble, What};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for stay in &facts.records.stays {
        let Some(Span { from: ended, until: at }) = stay.revived else {
            continue;
        };
        let span = Span::new(stay.span.from.min(ended).saturating_sub(SLACK), at);
        // Its refreshes went to the other side of a split.
        let is_taken_in = facts.troubles.is_grace(at);
        if !facts.troubles.befell_all(Trouble::Clock, span) && !facts.servers.forgot_within(span) && !is_taken_in {
            let text = format!(
                "the lease of {} of {} had ended, and is brought back",
                stay.holder, stay.name
            );
            report.add(Invariant::EndFinal, at, [], text);
        }
    }
    check_forced(facts, report);
}

/// What was taken by force is neither held nor queued again as long as its tombstone lasts.
fn check_forced(facts: &Facts<'_>, report: &mut Report) {
    for event in &facts.history.events {
        let What::Forced { name, holder } = &event.what else {
            continue;
        };
        let ttl = facts.of_name(name).map(|life| life.asked.ttl).min().unwrap_or_default();
        let tombstone = Span::new(event.at, (event.at + ttl).saturating_sub(SLACK));
        let comes_back = |from: Duration| from > event.at && from < tombstone.until;
        let again = places(facts, *holder)
            .map(|place| place.from)
            .find(|from| comes_back(*from));
        let Some(at) = again else { continue };
        // Where nothing was there nothing was taken, nor by a server that refused or did not answer.
        let then = Span::new(event.at, event.at);
        if places(facts, *holder).any(|place| place.touches(&then))
            && !facts.troubles.befell_all(Trouble::Refusal, then)
            && facts.servers.always_served(then)
            && !facts.troubles.befell_all(Trouble::Clock, tombstone)
            && !facts.servers.forgot_within(tombstone)
            && !facts.servers.split_within(tombstone)
        {
            let text = format!("{holder} of {name} was taken by force, and is there again");
            report.add(Invariant::EndFinal, at, [], text);
        }
    }
}

/// When a holder was on record, as one who holds or who waits.
fn places(facts: &Facts<'_>, holder: HolderId) -> impl Iterator<Item = Span> {
    let waits = facts.records.waits.iter().filter(move |wait| wait.holder == holder);
    let stays = facts.records.of(holder).map(|stay| stay.span);
    stays.chain(waits.map(|wait| wait.span))
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn a_lease_that_is_extended_after_its_end_is_caught() {
        let extended = |at: u64| {
            let text = format!(
                "0 ask 1 by 1 ttl=3000
                 5 record hold=1/5/0/3005
                 10 grant 1 token=5
                 2900 lose 1
                 {at} record hold=1/5/0/6000
                 6000 record"
            );
            story(&text).broken()
        };

        assert!(extended(3200).contains(&Invariant::EndFinal));
        assert!(!extended(3000).contains(&Invariant::EndFinal));
    }

    #[test]
    fn a_waiter_that_was_removed_by_force_does_not_come_back() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             15 record hold=1/5/0/3005 wait=2
             20 force 2
             20 record hold=1/5/0/3005
             30 record hold=1/5/0/3005 wait=2
             40 return 1
             41 record hold=2/6/0/3041
             42 grant 2 token=6
             43 return 2
             44 record",
        );

        assert_eq!(report.broken(), [Invariant::EndFinal]);
    }

    #[test]
    fn what_had_ended_before_it_was_to_be_taken_may_be_repeated() {
        let report = story(
            "0 ask 1 by 1
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             15 return 1
             16 record
             20 force 1
             900 record hold=1/6/0/3900
             3900 record",
        );

        assert!(!report.broken().contains(&Invariant::EndFinal));
    }
}
