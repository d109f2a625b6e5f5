//! One acquisition from its invocation to its end, as its client saw it.

use std::collections::BTreeMap;
use std::time::Duration;

use semafence::{FencingToken, HolderId, LossReason, Standing};

use crate::check::span::Span;
use crate::history::{Asked, End, Event, Op, What};

/// An acquisition. Of what should happen once, the first is kept; that it happens once is a rule of its own.
#[derive(Debug)]
pub(super) struct Life<'a> {
    pub(super) asked: &'a Asked,
    pub(super) asked_at: Duration,
    pub(super) grant: Option<Granted<'a>>,
    pub(super) ended: Option<(Duration, &'a End)>,
    pub(super) lost: Option<(Duration, LossReason)>,
    pub(super) returning: Option<Duration>,
    pub(super) returned: Option<(Duration, &'a Result<Standing, String>)>,
    pub(super) died: Option<Duration>,
    /// By when the servers must know nothing of it.
    pub(super) gone: Duration,
    /// By when its place in a queue must be gone.
    pub(super) left: Duration,
    /// While its client believes that it holds.
    pub(super) belief: Option<Span>,
    /// While its client believes so and does not stand still.
    pub(super) active: Vec<Span>,
}

/// The permit that the call returned.
#[derive(Debug, Clone, Copy)]
pub(super) struct Granted<'a> {
    pub(super) at: Duration,
    pub(super) holder: HolderId,
    pub(super) token: FencingToken,
    pub(super) slots: &'a [u32],
    pub(super) acks: u32,
}

impl<'a> Life<'a> {
    fn new(asked: &'a Asked, asked_at: Duration) -> Self {
        Self {
            asked,
            asked_at,
            grant: None,
            ended: None,
            lost: None,
            returning: None,
            returned: None,
            died: None,
            gone: Duration::MAX,
            left: Duration::MAX,
            belief: None,
            active: Vec::new(),
        }
    }

    pub(super) fn op(&self) -> Op {
        self.asked.op
    }

    /// It, for people: what it is in the history, and whose.
    pub(super) fn title(&self) -> String {
        format!("#{} of client {}", self.asked.op, self.asked.client)
    }

    pub(super) fn name(&self) -> &'a str {
        &self.asked.name
    }

    /// When its client was done with it, if it was.
    pub(super) fn over(&self) -> Option<Duration> {
        let ends = [
            self.ended.map(|(at, _)| at),
            self.lost.map(|(at, _)| at),
            self.returning,
            self.died,
        ];
        ends.into_iter().flatten().min()
    }

    /// When the call was answered, in whichever way.
    pub(super) fn answered(&self) -> Option<Duration> {
        let answers = [
            self.grant.map(|grant| grant.at),
            self.ended.map(|(at, _)| at),
            self.died,
        ];
        answers.into_iter().flatten().min()
    }

    fn see(&mut self, at: Duration, what: &'a What) {
        match what {
            What::Granted {
                holder,
                token,
                slots,
                acks,
                ..
            } => {
                self.grant.get_or_insert(Granted {
                    at,
                    holder: *holder,
                    token: *token,
                    slots,
                    acks: *acks,
                });
            }
            What::Ended { how, .. } => {
                self.ended.get_or_insert((at, how));
            }
            What::Lost { reason, .. } => {
                self.lost.get_or_insert((at, *reason));
            }
            What::Returning { .. } => {
                self.returning.get_or_insert(at);
            }
            What::Returned { answer, .. } => {
                self.returned.get_or_insert((at, answer));
            }
            _ => {}
        }
    }

    /// Settles when it was believed in and acted on.
    fn settle(&mut self, process: &Process, end: Duration) {
        self.died = process.died.filter(|died| *died >= self.asked_at);
        let Some(grant) = self.grant else { return };
        let belief = Span::new(grant.at, self.over().unwrap_or(end));
        if !belief.is_empty() {
            self.belief = Some(belief);
            self.active = belief.minus(process.pauses.iter().copied());
        }
    }
}

/// A client process: when it stood still, and when it ended.
#[derive(Debug, Default)]
pub(super) struct Process {
    pub(super) pauses: Vec<Span>,
    pub(super) died: Option<Duration>,
}

impl Process {
    /// How much of a span it stood still.
    pub(super) fn paused(&self, span: Span) -> Duration {
        let pauses = self.pauses.iter().filter_map(|pause| pause.common(&span));
        pauses.map(|pause| pause.until - pause.from).sum()
    }
}

/// All acquisitions and the processes that made them.
#[derive(Debug, Default)]
pub(super) struct Lives<'a> {
    pub(super) all: BTreeMap<Op, Life<'a>>,
    pub(super) processes: BTreeMap<u32, Process>,
}

impl<'a> Lives<'a> {
    pub(super) fn see(&mut self, event: &'a Event) {
        let at = event.at;
        match &event.what {
            What::Asked(asked) => {
                self.all.entry(asked.op).or_insert_with(|| Life::new(asked, at));
                self.processes.entry(asked.client).or_default();
            }
            What::Paused { client } => {
                let pauses = &mut self.processes.entry(*client).or_default().pauses;
                pauses.push(Span::new(at, Duration::MAX));
            }
            What::Resumed { client } => {
                if let Some(pause) = self.processes.entry(*client).or_default().pauses.last_mut() {
                    pause.until = pause.until.min(at);
                }
            }
            What::Died { client } => {
                self.processes.entry(*client).or_default().died.get_or_insert(at);
            }
            what => {
                if let Some(life) = op(what).and_then(|op| self.all.get_mut(&op)) {
                    life.see(at, what);
                }
            }
        }
    }

    pub(super) fn settle(&mut self, end: Duration) {
        for life in self.all.values_mut() {
            life.settle(&self.processes[&life.asked.client], end);
        }
    }
}

/// The acquisition that an event is of, unless it begins it.
pub(super) fn op(what: &What) -> Option<Op> {
    match what {
        What::Granted { op, .. }
        | What::Ended { op, .. }
        | What::Lost { op, .. }
        | What::Returning { op, .. }
        | What::Returned { op, .. }
        | What::Wrote { op, .. } => Some(*op),
        _ => None,
    }
}
