//! What is over for its client is gone from the servers.

use std::time::Duration;

use semafence::HolderId;

use crate::check::bounds::{AFTERMATH, SLACK, window};
use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::records::Stay;
use crate::check::{Invariant, Report};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for stay in &facts.records.stays {
        let latest = latest(&facts.candidates_of(stay), |life| {
            life.gone.max(handed_over(stay, life))
        });
        let Some(latest) = latest.filter(|latest| facts.servers.serves(stay.server, *latest)) else {
            continue;
        };
        if stay.span.until.min(facts.end) > latest {
            complain(report, latest, "a lease", stay.holder, stay.name);
        }
    }
    for wait in &facts.records.waits {
        let candidates = facts.candidates(wait.holder, wait.client, wait.name, wait.span.from);
        let latest = latest(&candidates, |life| life.left.saturating_add(AFTERMATH));
        let Some(latest) = latest.filter(|latest| facts.servers.serves(wait.server, *latest)) else {
            continue;
        };
        if wait.span.until.min(facts.end) > latest {
            complain(report, latest, "a place in the queue", wait.holder, wait.name);
        }
    }
}

/// Until when a lease may stay that a place was handed which nobody could give up: one window.
fn handed_over(stay: &Stay<'_>, life: &Life<'_>) -> Duration {
    let until = stay.span.from + window(life.asked.ttl) + SLACK;
    if stay.waited { until } else { Duration::ZERO }
}

fn latest(candidates: &[&Life<'_>], by: impl Fn(&Life<'_>) -> Duration) -> Option<Duration> {
    candidates
        .iter()
        .map(|life| by(life))
        .max()
        .filter(|latest| *latest < Duration::MAX)
}

fn complain(report: &mut Report, at: Duration, what: &str, holder: HolderId, name: &str) {
    let text = format!("{what} of {holder} of {name} is there long after it was over");
    report.add(Invariant::NoLeak, at, [], text);
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    fn kept(until: u64) -> Vec<Invariant> {
        let text = format!(
            "0 ask 1 by 1 ttl=3000
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             1000 die 1
             3000 record hold=1/5/0/{until}
             9000 resize"
        );
        story(&text).broken()
    }

    #[test]
    fn a_lease_that_is_kept_for_a_dead_client_is_caught() {
        assert_eq!(kept(6000), [Invariant::NoLeak]);
    }

    #[test]
    fn a_lease_may_last_for_one_ttl_after_its_client_died() {
        assert_eq!(kept(4000), []);
    }

    #[test]
    fn a_cancelled_waiter_that_stays_in_the_queue_is_caught() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             15 record hold=1/5/0/3005 wait=2
             16 disturb 1 network client=2
             20 cancel 2
             30 calm 1
             2000 record hold=1/5/0/5000 wait=2
             4000 record hold=1/5/0/7000 wait=2
             6000 record hold=1/5/0/9000 wait=2
             8000 record hold=1/5/0/11000 wait=2
             9000 return 1
             9001 record",
        );

        assert_eq!(report.broken(), [Invariant::PromptReturn, Invariant::NoLeak]);
    }
}
