//! Which servers served when, what they forgot, and in which epoch a grant was given.

use std::time::Duration;

use crate::check::span::Span;
use crate::history::{Event, ServerId, What};

/// A server as the master of its site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reign {
    pub(super) server: ServerId,
    pub(super) epoch: u64,
    pub(super) span: Span,
}

/// A server that forgot what it had confirmed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Forget {
    pub(super) at: Duration,
    server: ServerId,
    /// Whether a grace helps: not where only a key was lost.
    all: bool,
}

impl Forget {
    fn is_within(&self, span: Span) -> bool {
        span.from <= self.at && self.at <= span.until
    }
}

/// All reigns, and what masters forgot.
#[derive(Debug, Default)]
pub(super) struct Servers {
    pub(super) reigns: Vec<Reign>,
    /// What was lost, in the order in which it was.
    pub(super) forgets: Vec<Forget>,
    /// When which server began another generation.
    begins: Vec<(Duration, ServerId)>,
    /// When two served one site at once.
    pub(super) splits: Vec<Span>,
    /// How many replicas a master has.
    pub(super) replicas: u32,
}

impl Servers {
    pub(super) fn see(&mut self, event: &Event) {
        let at = event.at;
        match &event.what {
            What::Record(record) => self.first_master(record.server),
            What::Promoted { server, epoch, forgot } => {
                self.end(*server, at);
                self.begin(*server, *epoch, at);
                if *forgot {
                    self.forget(at, *server, true);
                }
            }
            What::Demoted { server } => {
                self.first_master(*server);
                self.end(*server, at);
            }
            What::Forgot { server, all } => self.forget(at, *server, *all),
            What::Followed { replicas } => self.replicas = *replicas,
            What::Began { server } => self.begins.push((at, *server)),
            _ => {}
        }
    }

    fn forget(&mut self, at: Duration, server: ServerId, all: bool) {
        self.forgets.push(Forget { at, server, all });
    }

    /// A server that speaks before anybody of its site was promoted has been the master from the start.
    fn first_master(&mut self, server: ServerId) {
        if !self.reigns.iter().any(|reign| reign.server == server)
            && !self
                .reigns
                .iter()
                .any(|reign| reign.server.site == server.site && reign.epoch == 0)
        {
            self.begin(server, 0, Duration::ZERO);
        }
    }

    fn begin(&mut self, server: ServerId, epoch: u64, at: Duration) {
        let span = Span::new(at, Duration::MAX);
        self.reigns.push(Reign { server, epoch, span });
    }

    fn end(&mut self, server: ServerId, at: Duration) {
        let current = self.reigns.iter_mut().rev().find(|reign| reign.server == server);
        if let Some(reign) = current {
            reign.span.until = reign.span.until.min(at);
        }
    }

    pub(super) fn settle(&mut self) {
        for (index, one) in self.reigns.iter().enumerate() {
            let rivals = self.reigns[..index].iter().filter(|other| other.server != one.server);
            let rivals = rivals.filter(|other| other.server.site == one.server.site);
            self.splits
                .extend(rivals.filter_map(|other| one.span.common(&other.span)));
        }
    }

    /// The epoch of a server at a moment; it may speak once more at the moment at which it is demoted.
    pub(super) fn epoch(&self, server: ServerId, at: Duration) -> u64 {
        let reigns = self.reigns.iter().filter(|reign| reign.server == server);
        reigns
            .filter(|reign| reign.span.from <= at)
            .map(|reign| reign.epoch)
            .max()
            .unwrap_or(0)
    }

    /// Whether a server serves at a moment. Without any word about servers, the one there is does.
    pub(super) fn serves(&self, server: ServerId, at: Duration) -> bool {
        self.reigns
            .iter()
            .any(|reign| reign.server == server && reign.span.contains(at))
    }

    /// Whether some server serves all the time.
    pub(super) fn always_served(&self, span: Span) -> bool {
        let mut reigns: Vec<Span> = self.reigns.iter().map(|reign| reign.span).collect();
        reigns.sort_by_key(|reign| reign.from);
        reigns.is_empty() || span.minus(reigns).is_empty()
    }

    pub(super) fn forgot_within(&self, span: Span) -> bool {
        self.forgets.iter().any(|forget| forget.is_within(span))
    }

    /// Whether a key was lost, and not all data.
    pub(super) fn lost_a_key_within(&self, span: Span) -> bool {
        self.forgets.iter().any(|forget| !forget.all && forget.is_within(span))
    }

    /// While nothing may be granted: from when a server took over or lost its data until the grace is over that begins with
    /// the first call that it answers, and wherever another generation begins for another reason.
    pub(super) fn graces(&self, grace: Duration) -> impl Iterator<Item = Span> {
        let changes = self.reigns.iter().map(|reign| (reign.span.from, reign.server));
        let losses = self.forgets.iter().filter(|forget| forget.all);
        let changes = changes.chain(losses.map(|forget| (forget.at, forget.server)));
        let first_after = |from: Duration, server: ServerId| {
            let mut begins = self.begins.iter().filter(move |(at, of)| *of == server && *at >= from);
            begins.next().map_or(Duration::MAX, |(at, _)| *at)
        };
        let waits = changes.map(move |(from, server)| Span::new(from, first_after(from, server).saturating_add(grace)));
        let others = self.begins.iter().map(move |(at, _)| Span::new(*at, *at + grace));
        waits.chain(others)
    }

    pub(super) fn split_within(&self, span: Span) -> bool {
        self.splits.iter().any(|split| split.touches(&span))
    }
}
