//! A permit is not idle while somebody waits for it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::check::bounds::{AFTERMATH, FALLBACK, PROMPT, RECONNECT_AND_RETRY, operation, window};
use crate::check::facts::Facts;
use crate::check::records::Turn;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::{Record, ServerId, Trouble, Waiter};

/// What servers have on record, one after another, of each name.
type Books<'f, 'a> = BTreeMap<(ServerId, &'a str), Vec<&'f Turn<'a>>>;

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    let mut books = Books::new();
    for turn in &facts.records.turns {
        let key = (turn.after.server, turn.after.name.as_str());
        books.entry(key).or_default().push(turn);
    }
    for ((server, name), turns) in books {
        if let Some((idle, due)) = Book::new(facts, server, name).first_idle(&turns) {
            let text = format!(
                "a permit of {name} is idle on server {server} since {:?}, and somebody waits",
                idle.from
            );
            report.add(Invariant::IdlePermit, due, [], text);
        }
    }
}

struct Book<'f, 'a> {
    facts: &'f Facts<'a>,
    server: ServerId,
    limit: u32,
    ttl: Duration,
}

impl<'f, 'a> Book<'f, 'a> {
    fn new(facts: &'f Facts<'a>, server: ServerId, name: &str) -> Self {
        let asked = || facts.of_name(name).map(|life| life.asked);
        Self {
            facts,
            server,
            limit: asked().map(|asked| asked.limit).min().unwrap_or(0),
            ttl: asked().map(|asked| asked.ttl).max().unwrap_or_default(),
        }
    }

    /// The first stretch that is too long, and when it should have been over.
    fn first_idle(&self, turns: &[&Turn<'a>]) -> Option<(Span, Duration)> {
        let mut since: Option<Duration> = None;
        let mut wasted = false;
        for (index, turn) in turns.iter().enumerate() {
            let until = turns.get(index + 1).map_or(self.facts.end, |next| next.at);
            let span = self.serving(turn.at, until);
            let free = span.and_then(|span| self.free_from(turn.after, span));
            let Some((span, free)) = span.zip(free) else {
                since = None;
                continue;
            };
            let goes_on = since.filter(|_| free == turn.at && !turn.disrupted);
            let from = goes_on.unwrap_or(free);
            let idle = Span::new(from, span.until);
            wasted = self.wakes_nobody(turn) || wasted && goes_on.is_some();
            let due = self.due(turn.after, idle, wasted);
            if idle.until > due {
                return Some((idle, due));
            }
            since = (span.until == until && due < Duration::MAX).then_some(from);
        }
        None
    }

    /// For how long the server still serves.
    fn serving(&self, from: Duration, until: Duration) -> Option<Span> {
        let reigns = self
            .facts
            .servers
            .reigns
            .iter()
            .filter(|reign| reign.server == self.server);
        let span = Span::new(from, until);
        reigns
            .filter_map(|reign| reign.span.common(&span))
            .find(|span| span.from == from)
    }

    /// From when on the first waiter could be served; leases end without a record.
    fn free_from(&self, record: &Record, span: Span) -> Option<Duration> {
        let queued = record.waiters.iter().find(|waiter| waiter.queues);
        let head = queued.or(record.waiters.first())?;
        let limit = record.limit.unwrap_or(self.limit) as usize;
        let mut leases: Vec<(Duration, usize)> = record
            .holders
            .iter()
            .map(|lease| (lease.ends, lease.slots.len()))
            .collect();
        leases.sort_unstable();
        let mut used: usize = leases.iter().map(|(_, slots)| slots).sum();
        let mut free = span.from;
        let mut leases = leases.into_iter();
        while used + head.weight as usize > limit {
            let (ends, slots) = leases.next()?;
            free = free.max(ends);
            used -= slots;
        }
        (free < span.until).then_some(free)
    }

    /// By when a stretch must be over.
    fn due(&self, record: &'a Record, idle: Span, wasted: bool) -> Duration {
        let prompt = Span::new(idle.from.saturating_sub(AFTERMATH), idle.from + PROMPT);
        let acting = record
            .waiters
            .iter()
            .filter(|waiter| waiter.client.is_none_or(|client| self.acts(client, idle)))
            .filter(|waiter| self.wants(waiter, record, idle));
        let looks = acting.map(|waiter| {
            waiter
                .client
                .map_or(Duration::MAX, |client| self.looks_by(client, idle.from))
        });
        let Some(looks) = looks.min() else {
            return Duration::MAX;
        };
        let calm = self.facts.troubles.calm_for_all(prompt) && self.facts.servers.always_served(prompt);
        if calm && !wasted && !self.may_wake_nobody(record, idle.from) {
            return prompt.until;
        }
        looks
    }

    /// Whether a wake-up went to a place that may be of an acquisition which is over: a late copy of its request may have
    /// made it.
    fn wakes_nobody(&self, turn: &Turn<'a>) -> bool {
        let Some((_, before)) = turn.before else { return false };
        let is_there = |holder| {
            let waits = turn.after.waiters.iter().any(|waiter| waiter.holder == holder);
            waits || turn.after.holders.iter().any(|lease| lease.holder == holder)
        };
        let over = |waiter: &Waiter| {
            let lives = self
                .facts
                .candidates(waiter.holder, waiter.client, &before.name, turn.at);
            lives.iter().any(|life| life.over().is_some_and(|over| over <= turn.at))
        };
        let mut woken = before
            .waiters
            .iter()
            .filter(|waiter| !waiter.queues && !is_there(waiter.holder));
        woken.any(over)
    }

    /// Whether a wake-up may go to a place that should be gone: the server forgot that it was given up, or refused to be
    /// told.
    fn may_wake_nobody(&self, record: &Record, at: Duration) -> bool {
        let is_queue = record.waiters.iter().any(|waiter| waiter.queues);
        let since_the_start = Span::new(Duration::ZERO, at);
        let refused = || self.facts.troubles.befell_all(Trouble::Refusal, since_the_start);
        !is_queue && (self.facts.servers.forgot_within(since_the_start) || refused())
    }

    /// Whether an acquisition waits for it to the end: a server that forgot what happened last, or refused to be told, may
    /// keep the place of one that is over.
    fn wants(&self, waiter: &Waiter, record: &'a Record, idle: Span) -> bool {
        let facts = self.facts;
        let candidates = facts.candidates(waiter.holder, waiter.client, &record.name, idle.from);
        let goes_on = |over: Duration| over >= idle.until;
        candidates.is_empty() || candidates.iter().any(|life| life.over().is_none_or(goes_on))
    }

    fn acts(&self, client: u32, span: Span) -> bool {
        let Some(process) = self.facts.process(client) else {
            return true;
        };
        let is_dead = process.died.is_some_and(|died| died <= span.until);
        !is_dead && process.paused(span).is_zero()
    }

    /// By when a waiter of this client has looked for itself, and been served.
    fn looks_by(&self, client: u32, since: Duration) -> Duration {
        let look = window(self.ttl) + operation(self.ttl) + RECONNECT_AND_RETRY;
        let calm = self.facts.troubles.calm_from(client, since, look);
        calm.saturating_add(look).saturating_add(FALLBACK)
    }
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    fn idle(fault: &str, served: u64) -> Vec<Invariant> {
        let text = format!(
            "0 ask 1 by 1
             0 ask 2 by 2
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             15 record hold=1/5/0/3005 wait=2
             {fault}
             2000 return 1
             2005 record wait=2
             {served} record hold=2/6/0/{}
             {served} grant 2 token=6
             {served} return 2
             {served} record",
            served + 2000
        );
        story(&text).broken()
    }

    #[test]
    fn a_permit_that_nobody_takes_is_caught() {
        assert_eq!(idle("", 3000), [Invariant::IdlePermit]);
    }

    #[test]
    fn a_waiter_may_take_its_time_where_a_message_was_lost() {
        assert_eq!(idle("1900 disturb 1 network client=2\n2100 calm 1", 4000), []);
        assert_eq!(
            idle("1900 disturb 1 network client=2\n2100 calm 1", 19_000),
            [Invariant::IdlePermit]
        );
    }

    #[test]
    fn a_dead_waiter_takes_nothing() {
        let report = story(
            "0 ask 2 by 2
             15 record wait=2
             16 die 2
             9000 resize",
        );

        assert_eq!(report.broken(), []);
    }

    #[test]
    fn a_lease_that_has_ended_leaves_an_idle_permit() {
        let report = story(
            "0 ask 1 by 1
             0 ask 2 by 2
             15 record hold=1/5/0/3005 wait=2
             9000 resize",
        );

        assert_eq!(report.broken(), [Invariant::IdlePermit]);
    }

    fn woken(fault: &str) -> Vec<Invariant> {
        let text = format!(
            "0 ask 1 by 1
             0 ask 2 by 2
             {fault}
             5 record hold=1/5/0/3005
             10 grant 1 token=5
             15 record hold=1/5/0/3005 wake=2
             1000 return 1
             1001 record wake=2
             3000 record"
        );
        story(&text).broken()
    }

    #[test]
    fn whoever_is_only_woken_is_woken_at_once() {
        assert_eq!(woken(""), [Invariant::IdlePermit]);
    }

    #[test]
    fn a_wake_up_may_go_to_a_place_whose_return_was_refused() {
        assert_eq!(woken("0 disturb 1 refusal\n2 calm 1"), []);
    }

    #[test]
    fn a_wake_up_may_go_to_a_place_that_a_late_copy_has_made() {
        let report = story(
            "0 ask 3 by 3
             2 record hold=3/4/0/3002
             3 grant 3 token=4
             4 return 3
             5 record
             6 ask 1 by 1
             7 record hold=1/5/0/3007
             8 grant 1 token=5
             9 ask 2 by 2
             10 record hold=1/5/0/3007 wake=3
             15 record hold=1/5/0/3007 wake=3 wake=2
             1000 return 1
             1001 record wake=2
             3000 record",
        );

        assert!(!report.broken().contains(&Invariant::IdlePermit));
    }
}
