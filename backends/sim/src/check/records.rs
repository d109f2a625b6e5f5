//! What servers had on record: who held and who waited from when until when, and each change in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use semafence::{FencingToken, HolderId};

use crate::check::bounds::SLACK;
use crate::check::span::Span;
use crate::history::{Event, Lease, Record, ServerId, Waiter, What};

/// A lease on one server: from the first record that shows it to the first that does not, or to its end.
#[derive(Debug)]
pub(super) struct Stay<'a> {
    pub(super) server: ServerId,
    pub(super) name: &'a str,
    pub(super) holder: HolderId,
    pub(super) client: Option<u32>,
    pub(super) token: FencingToken,
    pub(super) slots: &'a [u32],
    pub(super) span: Span,
    /// When it ends by the first record that shows it.
    pub(super) first_ends: Duration,
    /// Whether it was a waiter in the record before.
    pub(super) waited: bool,
    /// When it had ended that was first extended or given again nevertheless, and when that was.
    pub(super) revived: Option<Span>,
    /// Since when its server may have forgotten it: no record has shown it since.
    shaken: Option<Shock>,
}

#[derive(Debug, Clone, Copy)]
enum Shock {
    Demoted(Duration),
    Forgot(Duration),
}

/// A place in the queue of one server.
#[derive(Debug)]
pub(super) struct Wait<'a> {
    pub(super) server: ServerId,
    pub(super) name: &'a str,
    pub(super) holder: HolderId,
    pub(super) client: Option<u32>,
    pub(super) span: Span,
}

/// Where a token was given, and in which turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Home {
    pub(super) server: ServerId,
    pub(super) at: Duration,
    pub(super) turn: usize,
}

/// One command's change of what a server knows of a name.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    pub(super) at: Duration,
    pub(super) before: Option<(Duration, &'a Record)>,
    pub(super) after: &'a Record,
    /// Whether the server lost data in between, or was promoted.
    pub(super) disrupted: bool,
    /// The stays that begin.
    pub(super) arrived: Vec<usize>,
    /// The stays that are over.
    pub(super) left: Vec<usize>,
    /// Whether a place in the queue begins.
    pub(super) joined: bool,
}

/// All turns and what follows from them.
#[derive(Debug, Default)]
pub(super) struct Records<'a> {
    pub(super) turns: Vec<Turn<'a>>,
    pub(super) stays: Vec<Stay<'a>>,
    pub(super) waits: Vec<Wait<'a>>,
    pub(super) homes: BTreeMap<(HolderId, FencingToken), Home>,
    pub(super) current: BTreeMap<(ServerId, &'a str), Current<'a>>,
    by_holder: BTreeMap<HolderId, Vec<usize>>,
    /// Names whose leases may last longer than their records say: stepless time waits for somebody to look.
    stepless: BTreeSet<&'a str>,
}

/// The latest record of a name on a server.
#[derive(Debug)]
pub(super) struct Current<'a> {
    pub(super) at: Duration,
    pub(super) record: &'a Record,
    disrupted: bool,
    stays: Vec<usize>,
    waits: Vec<usize>,
}

impl<'a> Records<'a> {
    pub(super) fn see(&mut self, event: &'a Event) {
        let at = event.at;
        match &event.what {
            What::Asked(asked) if asked.stepless => {
                self.stepless.insert(&asked.name);
            }
            What::Record(record) => self.turn(at, record),
            What::Forgot { server, .. } => self.shake(*server, Shock::Forgot(at), true),
            What::Promoted { server, .. } => self.shake(*server, Shock::Demoted(at), true),
            What::Demoted { server } => self.shake(*server, Shock::Demoted(at), false),
            _ => {}
        }
    }

    /// Whether a token was given with it: a lease that another server shows later is no gift.
    pub(super) fn is_gift(&self, stay: &Stay<'_>) -> bool {
        let home = self.homes.get(&(stay.holder, stay.token));
        home.is_some_and(|home| home.at == stay.span.from)
    }

    fn shake(&mut self, server: ServerId, shock: Shock, disrupts: bool) {
        for ((_, _), current) in self.current.iter_mut().filter(|((of, _), _)| *of == server) {
            current.disrupted |= disrupts;
            for stay in &current.stays {
                self.stays[*stay].shaken.get_or_insert(shock);
            }
        }
    }

    fn turn(&mut self, at: Duration, record: &'a Record) {
        let key = (record.server, record.name.as_str());
        let before = self.current.remove(&key);
        let (old_stays, old_waits) = before
            .as_ref()
            .map_or((&[][..], &[][..]), |old| (&old.stays, &old.waits));
        let mut arrived = Vec::new();
        let stays: Vec<usize> = record
            .holders
            .iter()
            .map(|lease| {
                let known = old_stays.iter().find(|stay| self.stays[**stay].is_of(lease));
                known.copied().unwrap_or_else(|| {
                    let waited = old_waits.iter().any(|wait| self.waits[*wait].holder == lease.holder);
                    arrived.push(self.arrive(at, record, lease, waited));
                    self.stays.len() - 1
                })
            })
            .collect();
        let waits_before = self.waits.len();
        let waits: Vec<usize> = record
            .waiters
            .iter()
            .map(|waiter| {
                let known = old_waits.iter().find(|wait| self.waits[**wait].holder == waiter.holder);
                known.copied().unwrap_or_else(|| self.join(at, record, waiter))
            })
            .collect();
        for (stay, lease) in stays.iter().zip(&record.holders) {
            let stay = &mut self.stays[*stay];
            let had_ended = stay.had_ended(at) && !self.stepless.contains(stay.name);
            stay.renew(at, lease.ends, had_ended);
        }
        let left: Vec<usize> = old_stays.iter().filter(|stay| !stays.contains(stay)).copied().collect();
        for stay in &left {
            self.stays[*stay].leave(at);
        }
        for wait in old_waits.iter().filter(|wait| !waits.contains(wait)) {
            self.waits[*wait].span.until = at;
        }
        self.turns.push(Turn {
            at,
            before: before.as_ref().map(|old| (old.at, old.record)),
            after: record,
            disrupted: before.as_ref().is_some_and(|old| old.disrupted),
            arrived,
            left,
            joined: self.waits.len() > waits_before,
        });
        let current = Current {
            at,
            record,
            disrupted: false,
            stays,
            waits,
        };
        self.current.insert(key, current);
    }

    fn arrive(&mut self, at: Duration, record: &'a Record, lease: &'a Lease, waited: bool) -> usize {
        let home = Home {
            server: record.server,
            at,
            turn: self.turns.len(),
        };
        self.homes.entry((lease.holder, lease.token)).or_insert(home);
        let was_there =
            |stay: &&Stay<'_>| stay.server == record.server && stay.token == lease.token && stay.shaken.is_none();
        let ended = self
            .of(lease.holder)
            .filter(was_there)
            .map(|stay| stay.span.until)
            .max();
        let revived = ended.map(|ended| Span::new(ended, at));
        let stay = self.stays.len();
        self.by_holder.entry(lease.holder).or_default().push(stay);
        self.stays.push(Stay {
            server: record.server,
            name: &record.name,
            holder: lease.holder,
            client: lease.client,
            token: lease.token,
            slots: &lease.slots,
            span: Span::new(at, lease.ends),
            first_ends: lease.ends,
            waited,
            revived,
            shaken: None,
        });
        stay
    }

    fn join(&mut self, at: Duration, record: &'a Record, waiter: &'a Waiter) -> usize {
        self.waits.push(Wait {
            server: record.server,
            name: &record.name,
            holder: waiter.holder,
            client: waiter.client,
            span: Span::new(at, Duration::MAX),
        });
        self.waits.len() - 1
    }

    /// Ends the stays that were forgotten at the moment of the shock. A lease of a master that serves no more is thought to
    /// live on where another server shows it later, or where none has forgotten anything.
    pub(super) fn settle(&mut self, forgot: bool) {
        for index in 0..self.stays.len() {
            let stay = &self.stays[index];
            let lives_on = || {
                self.of(stay.holder)
                    .any(|other| other.server != stay.server && other.token == stay.token)
            };
            let cut = match stay.shaken {
                Some(Shock::Forgot(at)) => Some(at),
                Some(Shock::Demoted(at)) if forgot && !lives_on() => Some(at),
                _ => None,
            };
            if let Some(at) = cut {
                let span = &mut self.stays[index].span;
                span.until = span.until.min(at);
            }
        }
    }

    /// The stays of a holder, on whichever server.
    pub(super) fn of(&self, holder: HolderId) -> impl Iterator<Item = &Stay<'a>> {
        self.by_holder
            .get(&holder)
            .into_iter()
            .flatten()
            .map(|stay| &self.stays[*stay])
    }
}

impl Stay<'_> {
    fn is_of(&self, lease: &Lease) -> bool {
        self.holder == lease.holder && self.token == lease.token
    }

    /// What another server has done since is not known here.
    fn had_ended(&self, at: Duration) -> bool {
        self.span.until + SLACK < at && self.shaken.is_none()
    }

    fn renew(&mut self, at: Duration, ends: Duration, had_ended: bool) {
        if had_ended {
            self.revived.get_or_insert(Span::new(self.span.until, at));
        }
        self.span.until = ends;
        self.shaken = None;
    }

    fn leave(&mut self, at: Duration) {
        self.span.until = self.span.until.min(at);
    }
}
