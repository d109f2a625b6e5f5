//! What every replica has acknowledged is not lost with the master.

use crate::check::bounds::SLACK;
use crate::check::facts::Facts;
use crate::check::life::{Granted, Life};
use crate::check::servers::Reign;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::Trouble;

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for life in facts.lives.values() {
        let Some(grant) = life.grant else { continue };
        let (acks, wanted) = (grant.acks, life.asked.acks);
        if acks < wanted {
            let text = format!(
                "{} has a permit that {acks} of {wanted} replicas acknowledged",
                life.title()
            );
            report.add(Invariant::Acknowledged, grant.at, [life.op()], text);
        }
        let is_everywhere = wanted > 0 && acks >= facts.servers.replicas;
        if is_everywhere
            && let Some(reign) = successor(facts, life, grant)
            && !knows(facts, grant, reign)
        {
            let text = format!(
                "server {} knows nothing of the permit of {}, which every replica had acknowledged",
                reign.server,
                life.title()
            );
            report.add(Invariant::Acknowledged, reign.span.from, [life.op()], text);
        }
    }
}

/// The server that is promoted next, if it has to know of a permit.
fn successor<'f>(facts: &'f Facts<'_>, life: &Life<'_>, grant: Granted<'_>) -> Option<&'f Reign> {
    let home = facts.home(life)?;
    let later = facts
        .servers
        .reigns
        .iter()
        .filter(|reign| reign.span.from > grant.at && reign.server.site == home.server.site);
    let next = later.min_by_key(|reign| reign.span.from)?;
    let promoted = next.span.from;
    // The acknowledged refresh came after the grant; of later ones replicas need not know.
    let lasts = life.asked.ttl - life.asked.ttl / 100;
    let meanwhile = Span::new(home.at, promoted);
    let is_over = life.over().is_some_and(|over| over <= promoted)
        || promoted + SLACK > home.at + lasts
        || facts.forced_at(grant.holder).is_some_and(|forced| forced <= promoted);
    let is_excused = facts
        .servers
        .forgets
        .iter()
        .any(|forget| home.at <= forget.at && forget.at < promoted)
        || facts.troubles.befell_all(Trouble::Clock, meanwhile);
    (!is_over && !is_excused).then_some(next)
}

fn knows(facts: &Facts<'_>, grant: Granted<'_>, reign: &Reign) -> bool {
    let mut stays = facts.records.of(grant.holder);
    stays.any(|stay| stay.server == reign.server && stay.token == grant.token && stay.span.contains(reign.span.from))
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    fn promoted(granted: &str, at: u64, record: &str) -> Vec<Invariant> {
        let text = format!(
            "0 follow 1
             0 ask 1 by 1 acks=1 for=500
             5 record server=0 hold=1/5/0/3005
             10 grant 1 token=5 {granted}
             900 disturb 1 network
             1000 demote 0
             {at} promote 1 epoch=1 forgot
             {at} record server=1 {record}
             3900 lose 1 forgotten
             3950 record server=1"
        );
        story(&text).broken()
    }

    fn is_caught(broken: &[Invariant]) -> bool {
        broken.contains(&Invariant::Acknowledged)
    }

    #[test]
    fn a_permit_that_a_successor_does_not_know_is_caught() {
        assert!(is_caught(&promoted("acks=1", 2000, "")));
        assert!(!is_caught(&promoted("acks=1", 2000, "hold=1/5/0/3005")));
    }

    #[test]
    fn a_successor_need_not_know_what_has_ended() {
        assert!(!is_caught(&promoted("acks=1", 3100, "")));
    }

    #[test]
    fn a_permit_without_its_acknowledgements_is_caught() {
        assert!(is_caught(&promoted("acks=0", 2000, "hold=1/5/0/3005")));
    }

    #[test]
    fn where_one_of_two_acknowledged_the_other_may_take_over() {
        let text = "0 follow 2
                    0 ask 1 by 1 acks=1 for=500
                    5 record server=0 hold=1/5/0/3005
                    10 grant 1 token=5 acks=1
                    1000 demote 0
                    2000 promote 1 epoch=1 forgot
                    2000 record server=1
                    2500 lose 1 forgotten";

        assert!(!is_caught(&story(text).broken()));
    }
}
