//! Acquisitions as bars: while somebody waited, while somebody believed in a permit, and while a server had its lease.

use std::collections::BTreeMap;
use std::time::Duration;

use semafence::{FencingToken, HolderId};

use crate::history::{self, Asked, End, Event, History, Op, Record, ServerId, What};

/// An acquisition.
#[derive(Debug)]
pub(super) struct Acquisition<'a> {
    pub(super) asked: &'a Asked,
    pub(super) asked_at: Duration,
    pub(super) answered: Duration,
    /// How the call ended, or that it did not.
    pub(super) answer: String,
    pub(super) permit: Option<Permit<'a>>,
}

/// What it was granted.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    pub(super) holder: HolderId,
    pub(super) token: FencingToken,
    pub(super) slots: &'a [u32],
    pub(super) granted: Duration,
    /// When its client believed in it no more.
    pub(super) over: Duration,
    pub(super) ending: Ending,
    /// Its lease on servers.
    pub(super) leases: Vec<Lease>,
    pub(super) writes: Vec<Write>,
}

/// How belief in a permit ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    Died,
    Lost(String),
    Open,
    Returned,
}

/// A lease on a server, as its records show it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Lease {
    pub(super) server: ServerId,
    pub(super) from: Duration,
    pub(super) until: Duration,
}

/// What the guarded resource was shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Write {
    pub(super) at: Duration,
    pub(super) slot: u32,
    pub(super) admitted: bool,
}

impl Acquisition<'_> {
    pub(super) fn op(&self) -> Op {
        self.asked.op
    }

    /// From the first moment that there is anything of it to the last.
    pub(super) fn span(&self) -> (Duration, Duration) {
        let until = self.permit.as_ref().map_or(self.answered, |permit| permit.over);
        (self.asked_at, until)
    }
}

impl Permit<'_> {
    /// The parts of belief during which no server had its lease.
    pub(super) fn bare(&self) -> Vec<(Duration, Duration)> {
        let mut parts = Vec::new();
        let mut from = self.granted;
        let mut leases: Vec<&Lease> = self.leases.iter().collect();
        leases.sort_by_key(|lease| lease.from);
        for lease in leases {
            if lease.from > from {
                parts.push((from, lease.from.min(self.over)));
            }
            from = from.max(lease.until);
        }
        parts.push((from, self.over));
        parts.retain(|(from, until)| from < until);
        parts
    }
}

/// All acquisitions of a history, by their number.
pub(super) fn acquisitions(history: &History) -> BTreeMap<Op, Acquisition<'_>> {
    let end = history.events.last().map_or(Duration::ZERO, |event| event.at);
    let mut all = BTreeMap::new();
    for event in &history.events {
        see(&mut all, event, end);
    }
    let leases = leases(history, end);
    for acquisition in all.values_mut() {
        if let Some(permit) = &mut acquisition.permit {
            let found = leases.get(&(permit.holder, permit.token));
            permit.leases = found.cloned().unwrap_or_default();
        }
    }
    all
}

fn see<'a>(all: &mut BTreeMap<Op, Acquisition<'a>>, event: &'a Event, end: Duration) {
    let at = event.at;
    match &event.what {
        What::Asked(asked) => {
            let acquisition = Acquisition {
                asked,
                asked_at: at,
                answered: end,
                answer: "still waits".to_owned(),
                permit: None,
            };
            all.entry(asked.op).or_insert(acquisition);
        }
        What::Granted {
            op,
            holder,
            token,
            slots,
            ..
        } => {
            if let Some(acquisition) = all.get_mut(op) {
                acquisition.answered = at;
                acquisition.answer = "granted".to_owned();
                acquisition.permit = Some(Permit {
                    holder: *holder,
                    token: *token,
                    slots,
                    granted: at,
                    over: end,
                    ending: Ending::Open,
                    leases: Vec::new(),
                    writes: Vec::new(),
                });
            }
        }
        What::Ended { op, how } => {
            if let Some(acquisition) = all.get_mut(op) {
                acquisition.answered = at;
                acquisition.answer = match how {
                    End::Busy => "no permit was free".to_owned(),
                    End::Cancelled => "cancelled".to_owned(),
                    End::Failed(text) => format!("failed: {text}"),
                    End::TimedOut => "timed out".to_owned(),
                    End::Unacknowledged => "too few replicas".to_owned(),
                };
            }
        }
        What::Lost { op, reason } => {
            end_belief(all.get_mut(op), at, Ending::Lost(format!("{reason:?}").to_lowercase()))
        }
        What::Returning { op, .. } => end_belief(all.get_mut(op), at, Ending::Returned),
        What::Died { client } => die(all, *client, at),
        What::Wrote { op, slot, admitted, .. } => {
            if let Some(permit) = all.get_mut(op).and_then(|acquisition| acquisition.permit.as_mut()) {
                permit.writes.push(Write {
                    at,
                    slot: *slot,
                    admitted: *admitted,
                });
            }
        }
        _ => {}
    }
}

fn end_belief(acquisition: Option<&mut Acquisition<'_>>, at: Duration, ending: Ending) {
    let permit = acquisition.and_then(|acquisition| acquisition.permit.as_mut());
    if let Some(permit) = permit.filter(|permit| permit.ending == Ending::Open) {
        permit.over = at;
        permit.ending = ending;
    }
}

fn die(all: &mut BTreeMap<Op, Acquisition<'_>>, client: u32, at: Duration) {
    for acquisition in all.values_mut().filter(|one| one.asked.client == client) {
        match &mut acquisition.permit {
            Some(_) => end_belief(Some(acquisition), at, Ending::Died),
            None if acquisition.answer == "still waits" => {
                acquisition.answered = at;
                acquisition.answer = "died".to_owned();
            }
            None => {}
        }
    }
}

type Leases = BTreeMap<(HolderId, FencingToken), Vec<Lease>>;

/// A lease that a server still has, by its latest record.
#[derive(Debug, Clone, Copy)]
struct Stay {
    holder: HolderId,
    token: FencingToken,
    lease: Lease,
}

/// What servers had on record, with the end of each lease by its own clock.
fn leases(history: &History, end: Duration) -> Leases {
    let mut open: BTreeMap<(ServerId, &str), Vec<Stay>> = BTreeMap::new();
    let mut leases = Leases::new();
    for event in &history.events {
        match &event.what {
            What::Record(record) => {
                let key = (record.server, record.name.as_str());
                let before = open.remove(&key).unwrap_or_default();
                let gone = before.iter().filter(|stay| !stay.is_in(record));
                gone.for_each(|stay| close(&mut leases, *stay, event.at));
                open.insert(key, stays(record, &before, event.at));
            }
            What::Demoted { server } | What::Promoted { server, .. } => {
                let its = open.iter_mut().filter(|((of, _), _)| of == server);
                its.flat_map(|(_, stays)| stays.drain(..))
                    .for_each(|stay| close(&mut leases, stay, event.at));
            }
            _ => {}
        }
    }
    let left = open.into_values().flatten();
    left.for_each(|stay| close(&mut leases, stay, end));
    leases
}

fn close(leases: &mut Leases, stay: Stay, at: Duration) {
    let until = stay.lease.until.min(at);
    let known = leases.entry((stay.holder, stay.token)).or_default();
    known.push(Lease { until, ..stay.lease });
}

impl Stay {
    fn is_in(&self, record: &Record) -> bool {
        record.holders.iter().any(|lease| self.is_of(lease))
    }

    fn is_of(&self, lease: &history::Lease) -> bool {
        lease.holder == self.holder && lease.token == self.token
    }
}

fn stays(record: &Record, before: &[Stay], at: Duration) -> Vec<Stay> {
    let stay = |lease: &history::Lease| Stay {
        holder: lease.holder,
        token: lease.token,
        lease: Lease {
            server: record.server,
            from: before
                .iter()
                .find(|stay| stay.is_of(lease))
                .map_or(at, |stay| stay.lease.from),
            until: lease.ends,
        },
    };
    record.holders.iter().map(stay).collect()
}
