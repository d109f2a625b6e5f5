//! Only its holder ends a lease.

use std::time::Duration;

use crate::check::bounds::ROUNDING;
use crate::check::facts::Facts;
use crate::check::records::{Stay, Turn};
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::{Op, Trouble};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for turn in facts.records.turns.iter().filter(|turn| !turn.disrupted) {
        for stay in turn.left.iter().map(|stay| &facts.records.stays[*stay]) {
            if is_stolen(facts, turn, stay) {
                let ops: Vec<Op> = facts.life_of(stay.holder).map(|life| life.op()).into_iter().collect();
                let text = format!("the lease of {} of {} vanishes before its end", stay.holder, stay.name);
                report.add(Invariant::Stolen, turn.at, ops, text);
            }
        }
    }
}

fn is_stolen(facts: &Facts<'_>, turn: &Turn<'_>, stay: &Stay<'_>) -> bool {
    if !runs_on(turn, stay) || facts.was_forced(stay.holder) {
        return false;
    }
    let so_far = Span::new(Duration::ZERO, turn.at);
    // Where lease time is stepless, a lease may end a quarter of the ttl early: it was given so much longer.
    let lately = Span::new(turn.before.map_or(turn.at, |(at, _)| at), turn.at);
    if facts.troubles.befell_all(Trouble::Clock, so_far) || facts.troubles.befell_all(Trouble::Step, lately) {
        return false;
    }
    // What was granted on the other side of a split is taken in again, and has the larger token.
    if facts.troubles.is_grace(turn.at) {
        return false;
    }
    let candidates = facts.candidates_of(stay);
    let is_over = |over| over <= turn.at;
    !candidates.is_empty() && !candidates.iter().any(|life| life.over().is_some_and(is_over))
}

/// Whether it would have run on by the record before, however the server's clock drifted since.
fn runs_on(turn: &Turn<'_>, stay: &Stay<'_>) -> bool {
    let Some((at, before)) = turn.before else { return false };
    let drift = |ends: Duration| ends.saturating_sub(at) / 100;
    let mut leases = before.holders.iter().filter(|lease| lease.holder == stay.holder);
    // A lease that changes its token is the matter of another rule.
    let is_renamed = turn.after.holders.iter().any(|lease| lease.holder == stay.holder);
    !is_renamed && leases.any(|lease| lease.ends > turn.at + ROUNDING + drift(lease.ends))
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    fn vanishing(reason: &str, at: u64) -> Vec<Invariant> {
        let text = format!(
            "0 ask 1 by 1
             0 ask 2 by 2
             5 record hold=1/5/0/3005
             {reason}
             {at} record"
        );
        story(&text).broken()
    }

    #[test]
    fn a_lease_that_vanishes_before_its_end_is_caught() {
        assert_eq!(vanishing("", 2000), [Invariant::Stolen]);
    }

    #[test]
    fn a_lease_that_ends_is_not_stolen() {
        assert_eq!(vanishing("", 3005), []);
        assert_eq!(vanishing("1990 cancel 1", 2000), []);
        assert_eq!(vanishing("1000 force 1", 2000), []);
        assert_eq!(vanishing("1000 forget 0", 2000), []);
    }
}
