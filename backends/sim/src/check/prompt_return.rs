//! In calm, what is given back is gone at once.

use std::time::Duration;

use semafence::HolderId;

use crate::check::bounds::{PROMPT, again};
use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::{ServerId, Trouble};

/// What a server has on record of a holder: a lease or a place in the queue.
struct Entry<'a> {
    server: ServerId,
    name: &'a str,
    holder: HolderId,
    client: Option<u32>,
    span: Span,
}

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for entry in entries(facts) {
        let candidates = facts.candidates(entry.holder, entry.client, entry.name, entry.span.from);
        let Some(latest) = gone_by(facts, &candidates, entry.span.from) else {
            continue;
        };
        let serves = facts.servers.serves(entry.server, latest);
        if serves && entry.span.until.min(facts.end) > latest {
            let ops: Vec<u64> = candidates.iter().map(|life| life.op()).collect();
            let text = format!("{} of {} is over and still on record", entry.holder, entry.name);
            report.add(Invariant::PromptReturn, latest, ops, text);
        }
    }
}

fn entries<'f, 'a>(facts: &'f Facts<'a>) -> impl Iterator<Item = Entry<'a>> + use<'f, 'a> {
    let leases = facts.records.stays.iter().map(|stay| Entry {
        server: stay.server,
        name: stay.name,
        holder: stay.holder,
        client: stay.client,
        span: stay.span,
    });
    let places = facts.records.waits.iter().map(|wait| Entry {
        server: wait.server,
        name: wait.name,
        holder: wait.holder,
        client: wait.client,
        span: wait.span,
    });
    leases.chain(places)
}

/// By when it must be gone, whichever of these it is of; `None` if one of them is not over or was disturbed.
fn gone_by(facts: &Facts<'_>, candidates: &[&Life<'_>], since: Duration) -> Option<Duration> {
    let mut latest = None;
    for life in candidates {
        latest = latest.max(Some(gone(facts, life).or_else(|| gone_again(facts, life, since))?));
    }
    latest
}

fn gone(facts: &Facts<'_>, life: &Life<'_>) -> Option<Duration> {
    let over = life.returning.or(life.ended.map(|(at, _)| at))?;
    let gone = over + PROMPT;
    let calm = Span::new(over.saturating_sub(life.asked.ttl), gone);
    let undisturbed = facts.troubles.calm(life.asked.client, calm)
        && life.lost.is_none()
        && life.died.is_none_or(|died| died > gone)
        && facts.servers.always_served(calm)
        && !facts.servers.forgot_within(calm);
    undisturbed.then_some(gone)
}

/// By when it must be gone although a fault befell its client: a release that gets no answer is sent again for one ttl.
/// Where a server refuses, it may not be: what is not allowed is not tried again. Says nothing about what came after it
/// was over: a late acquire, which no release follows.
fn gone_again(facts: &Facts<'_>, life: &Life<'_>, since: Duration) -> Option<Duration> {
    let over = life.returning.or(life.ended.map(|(at, _)| at))?;
    let (ttl, client) = (life.asked.ttl, life.asked.client);
    let needs = again(ttl, life.asked.refresh_interval);
    let gone = facts.troubles.quiet_from(client, over, needs).saturating_add(needs);
    let meanwhile = Span::new(over.saturating_sub(ttl), gone);
    let is_certain = since <= over
        && is_known_to_client(facts, life, over)
        && gone <= over + ttl
        && life.lost.is_none()
        && life.died.is_none()
        && !facts.troubles.befell(Trouble::Refusal, client, meanwhile)
        && facts.servers.always_served(meanwhile)
        && !facts.servers.forgot_within(meanwhile)
        && !facts.servers.split_within(meanwhile);
    is_certain.then_some(gone)
}

/// Whether the client has to reckon that it holds or waits. It need not where all its attempts were answered with busy, and
/// a late copy of one has taken a permit meanwhile.
fn is_known_to_client(facts: &Facts<'_>, life: &Life<'_>, over: Duration) -> bool {
    let asking = Span::new(life.asked_at, over);
    life.grant.is_some() || life.asked.queues || !facts.troubles.befell(Trouble::Network, life.asked.client, asking)
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    fn returned(fault: &str) -> Vec<Invariant> {
        let text = format!(
            "0 ask 1 by 1
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             {fault}
             1000 return 1
             3005 record"
        );
        story(&text).broken()
    }

    #[test]
    fn a_permit_that_is_not_given_back_at_once_is_caught() {
        assert_eq!(returned(""), [Invariant::PromptReturn]);
    }

    #[test]
    fn a_fault_may_delay_it() {
        assert_eq!(returned("900 disturb 1 network client=1"), []);
    }

    #[test]
    fn a_release_is_sent_again_when_the_fault_is_over() {
        let ceased = |at: u64| returned(&format!("900 disturb 1 network client=1\n{at} cease 1"));

        assert_eq!(ceased(990), [Invariant::PromptReturn]);
        // By then its lease has ended.
        assert_eq!(ceased(2500), []);
        assert_eq!(returned("900 disturb 1 refusal\n990 cease 1"), []);
    }

    #[test]
    fn what_a_late_copy_took_is_not_known_to_a_client_that_polls() {
        let cancelled = |how: &str| {
            let text = format!(
                "0 disturb 1 network client=1
                 0 ask 1 by 1 {how}
                 50 record hold=1/5/0/3050
                 60 cancel 1
                 100 cease 1
                 3050 record"
            );
            story(&text).broken()
        };

        assert_eq!(cancelled("poll"), []);
        assert_eq!(cancelled(""), [Invariant::PromptReturn]);
    }

    #[test]
    fn a_cancelled_waiter_that_is_still_queued_is_caught() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             15 record hold=1/5/0/3005 wait=2
             20 cancel 2
             1000 return 1
             1001 record",
        );

        assert_eq!(report.broken(), [Invariant::PromptReturn]);
    }
}
