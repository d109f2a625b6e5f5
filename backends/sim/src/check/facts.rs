//! What all rules share: a history, read once.

use std::collections::BTreeMap;
use std::time::Duration;

use semafence::HolderId;

use crate::check::bounds;
use crate::check::life::{Granted, Life, Lives, Process};
use crate::check::records::{Home, Records, Stay, Wait};
use crate::check::servers::Servers;
use crate::check::span::Span;
use crate::check::troubles::Troubles;
use crate::history::{History, Op, Trouble, What};

/// A history and what follows from it.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    pub(super) history: &'a History,
    /// For how long a server that took over grants nothing.
    grace: Duration,
    pub(super) lives: BTreeMap<Op, Life<'a>>,
    pub(super) processes: BTreeMap<u32, Process>,
    pub(super) servers: Servers,
    pub(super) troubles: Troubles,
    pub(super) records: Records<'a>,
    /// The acquisitions of each name, and of each client of it.
    pub(super) by_name: BTreeMap<&'a str, Vec<Op>>,
    by_client: BTreeMap<(u32, &'a str), Vec<Op>>,
    by_holder: BTreeMap<HolderId, Op>,
    forced: Vec<(Duration, HolderId)>,
    pub(super) end: Duration,
}

/// Why two permits of one slot may have been given at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excuse {
    /// A clock was off: leases ended early.
    Clock,
    /// An operator took it.
    Force,
    /// A server had forgotten a grant or a refresh.
    Memory,
    /// Two servers served.
    Split,
}

impl<'a> Facts<'a> {
    pub(super) fn of(history: &'a History) -> Self {
        let (mut lives, mut servers) = (Lives::default(), Servers::default());
        let (mut troubles, mut records) = (Troubles::default(), Records::default());
        let mut forced = Vec::new();
        for event in &history.events {
            lives.see(event);
            servers.see(event);
            troubles.see(event);
            records.see(event);
            if let What::Forced { holder, .. } = &event.what {
                forced.push((event.at, *holder));
            }
        }
        let end = history.events.last().map_or(Duration::ZERO, |last| last.at);
        lives.settle(end);
        servers.settle();
        records.settle(!servers.forgets.is_empty());
        let grace = lives
            .all
            .values()
            .map(|life| life.asked.grace)
            .max()
            .unwrap_or_default();
        if !grace.is_zero() {
            servers.graces(grace).for_each(|span| troubles.pause(span));
        }
        let mut facts = Self {
            history,
            grace,
            lives: lives.all,
            processes: lives.processes,
            servers,
            troubles,
            records,
            by_name: BTreeMap::new(),
            by_client: BTreeMap::new(),
            by_holder: BTreeMap::new(),
            forced,
            end,
        };
        facts.index();
        facts
    }

    fn index(&mut self) {
        let bounds = |life| (self.gone_by(life), self.left_by(life));
        let bounds: Vec<(Duration, Duration)> = self.lives.values().map(bounds).collect();
        for (life, bounds) in self.lives.values_mut().zip(bounds) {
            (life.gone, life.left) = bounds;
        }
        for (op, life) in &self.lives {
            self.by_name.entry(life.name()).or_default().push(*op);
            self.by_client
                .entry((life.asked.client, life.name()))
                .or_default()
                .push(*op);
            if let Some(grant) = life.grant {
                self.by_holder.entry(grant.holder).or_insert(*op);
            }
        }
    }

    pub(super) fn has_records(&self) -> bool {
        !self.records.turns.is_empty()
    }

    pub(super) fn process(&self, client: u32) -> Option<&Process> {
        self.processes.get(&client)
    }

    pub(super) fn of_name(&self, name: &str) -> impl Iterator<Item = &Life<'a>> {
        self.by_name.get(name).into_iter().flatten().map(|op| &self.lives[op])
    }

    pub(super) fn of_client(&self, client: u32, name: &'a str) -> impl Iterator<Item = &Life<'a>> {
        self.by_client
            .get(&(client, name))
            .into_iter()
            .flatten()
            .map(|op| &self.lives[op])
    }

    /// The acquisition of a holder, if its call returned a permit.
    pub(super) fn life_of(&self, holder: HolderId) -> Option<&Life<'a>> {
        self.by_holder.get(&holder).map(|op| &self.lives[op])
    }

    /// The acquisition of a holder, and the permit that its call returned, if it did.
    pub(super) fn granted_to(&self, holder: HolderId) -> Option<(&Life<'a>, Granted<'a>)> {
        let life = self.life_of(holder)?;
        Some((life, life.grant?))
    }

    /// Where the permit of an acquisition was given.
    pub(super) fn home(&self, life: &Life<'_>) -> Option<&Home> {
        let grant = life.grant?;
        self.records.homes.get(&(grant.holder, grant.token))
    }

    /// The epoch in which it was given; without records the only one there was while it was asked for.
    pub(super) fn epoch(&self, life: &Life<'_>) -> Option<u64> {
        if let Some(home) = self.home(life) {
            return Some(self.servers.epoch(home.server, home.at));
        }
        let asking = Span::new(life.asked_at, life.grant?.at);
        let mut changes = self.servers.reigns.iter().filter(|reign| reign.span.touches(&asking));
        match (changes.next(), changes.next()) {
            (Some(reign), None) => Some(reign.epoch),
            (None, _) => Some(0),
            _ => None,
        }
    }

    /// Why the permit of `older` may be given to another at `at`.
    pub(super) fn excuse(&self, older: &Life<'_>, at: Duration) -> Option<Excuse> {
        let meanwhile = self.since_given(older, at);
        if self.servers.split_within(meanwhile) {
            return Some(Excuse::Split);
        }
        if self.servers.forgot_within(meanwhile) {
            return Some(Excuse::Memory);
        }
        self.excuse_of_others(older, at, meanwhile)
    }

    /// Why a slot may be given to another at `at` while `older` is acted on. What a server forgot is no reason where it has
    /// a grace, unless it lost single keys.
    pub(super) fn excuse_to_give(&self, older: &Life<'_>, at: Duration) -> Option<Excuse> {
        if self.is_taken_in(older, at) {
            self.excuse_of_others(older, at, self.since_given(older, at))
        } else {
            self.excuse(older, at)
        }
    }

    /// Whether a permit was forgotten and nothing else befell it, where a server with a grace takes it in again.
    pub(super) fn is_taken_in(&self, life: &Life<'_>, at: Duration) -> bool {
        !self.grace.is_zero()
            && self.excuse(life, at) == Some(Excuse::Memory)
            && !self.servers.lost_a_key_within(self.since_given(life, at))
    }

    fn since_given(&self, life: &Life<'_>, at: Duration) -> Span {
        let since = self.home(life).map_or(life.asked_at, |home| home.at);
        Span::new(since.min(at), at)
    }

    fn excuse_of_others(&self, older: &Life<'_>, at: Duration, meanwhile: Span) -> Option<Excuse> {
        if self.troubles.befell(Trouble::Clock, older.asked.client, meanwhile) {
            return Some(Excuse::Clock);
        }
        let forced_at = self.forced_at(older.grant?.holder);
        forced_at.is_some_and(|forced| forced <= at).then_some(Excuse::Force)
    }

    /// Until when a permit may be believed in whose lease was gone at `since`, where that is excused.
    pub(super) fn told_by(&self, life: &Life<'_>, since: Duration, excuse: Excuse) -> Duration {
        let latest = since.saturating_add(life.asked.ttl);
        if excuse == Excuse::Clock {
            return latest;
        }
        let notice = bounds::notice(life.asked);
        let calm = self.troubles.calm_from(life.asked.client, since, notice);
        calm.saturating_add(notice).min(latest)
    }

    /// When an operator took this holder's permit or place.
    pub(super) fn forced_at(&self, holder: HolderId) -> Option<Duration> {
        let found = self.forced.iter().find(|(_, forced)| *forced == holder);
        found.map(|(at, _)| *at)
    }

    pub(super) fn was_forced(&self, holder: HolderId) -> bool {
        self.forced_at(holder).is_some()
    }

    /// By when the servers must know nothing of an acquisition that is over.
    fn gone_by(&self, life: &Life<'_>) -> Duration {
        let Some(over) = life.over() else {
            return Duration::MAX;
        };
        let (client, ttl) = (life.asked.client, life.asked.ttl);
        let calm = self.troubles.calm_from(client, over, ttl);
        let gone = calm.saturating_add(bounds::outlives(ttl)).saturating_add(bounds::SLACK);
        let clock = self.troubles.befell_all(Trouble::Clock, Span::new(life.asked_at, gone));
        let late = bounds::late(life.asked);
        let gone = gone.saturating_add(late);
        if clock || !self.time_goes_on(life.name(), late, Span::new(over, gone)) {
            Duration::MAX
        } else {
            gone
        }
    }

    /// Whether lease time goes on: that which is stepless, and may be `late`, does while somebody looks.
    pub(super) fn time_goes_on(&self, name: &str, late: Duration, span: Span) -> bool {
        late.is_zero() || self.is_looked_at(name, span)
    }

    /// Whether somebody waits in the queue of a name all the time, and nothing keeps its looks from their server.
    fn is_looked_at(&self, name: &str, span: Span) -> bool {
        let covers = |wait: &Wait<'_>| wait.span.from <= span.from && span.until <= wait.span.until;
        let mut waits = self
            .records
            .waits
            .iter()
            .filter(|wait| wait.name == name && covers(wait));
        waits.any(|wait| {
            let lives = |client| {
                let died = self.process(client).and_then(|process| process.died);
                died.is_none_or(|died| died >= span.until) && self.troubles.calm(client, span)
            };
            wait.client.is_some_and(lives)
                && self.servers.serves(wait.server, span.from)
                && self.servers.serves(wait.server, span.until)
        })
    }

    /// By when an acquisition that is over must have left the queue. A release is sent again for one ttl; where the client
    /// was not calm for long enough within it, or a server forgot it, its place may stay until its turn comes, as that of a
    /// dead one does.
    fn left_by(&self, life: &Life<'_>) -> Duration {
        let Some(over) = life.over().filter(|over| life.died != Some(*over)) else {
            return Duration::MAX;
        };
        let needs = bounds::operation(life.asked.ttl) * 2 + bounds::RECONNECT_AND_RETRY;
        let calm = self.troubles.calm_from(life.asked.client, over, needs);
        let left = calm.saturating_add(needs);
        let forgot = self.servers.forgot_within(Span::new(over, left));
        if forgot || (left > over + life.asked.ttl && calm > over) {
            Duration::MAX
        } else {
            left + bounds::SLACK
        }
    }

    /// The acquisitions that a holder may be of, from what a record says of it: its own if that is known, and otherwise
    /// those of its client that never returned a permit.
    pub(super) fn candidates(
        &self,
        holder: HolderId,
        client: Option<u32>,
        name: &'a str,
        seen: Duration,
    ) -> Vec<&Life<'a>> {
        if let Some(life) = self.life_of(holder) {
            return vec![life];
        }
        let lives: Vec<&Life<'a>> = match client {
            Some(client) => self.of_client(client, name).collect(),
            None => self.of_name(name).collect(),
        };
        lives
            .into_iter()
            .filter(|life| life.grant.is_none() && life.asked_at <= seen)
            .collect()
    }

    pub(super) fn candidates_of(&self, stay: &Stay<'a>) -> Vec<&Life<'a>> {
        self.candidates(stay.holder, stay.client, stay.name, stay.span.from)
    }
}
