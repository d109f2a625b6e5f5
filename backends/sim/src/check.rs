//! What must hold in every history, whatever the faults: each invariant with the assumptions under which it does.
//!
//! [`check`] reads a history of a simulation, or one that was recorded from real servers; without
//! [`What::Record`](crate::history::What::Record) events it leaves out what only the servers' side can tell. Rules are
//! written to be silent about everything that a fault explains: what the checker says is a defect of the client, of the
//! scripts, or of the harness. Where a fault rightly breaks exclusion, the checker measures for how long instead and holds
//! the result against the documented bound.

use std::fmt;
use std::time::Duration;

use crate::history::{History, Op};

mod acknowledged;
mod at_most_limit;
mod bounds;
mod end_final;
mod exclusive_slot;
mod facts;
mod fence_accepts;
mod fence_refuses;
mod fifo;
mod hand_over;
mod idle_permit;
mod invariant;
mod life;
mod linearizable;
mod loss_final;
mod loss_told;
mod no_leak;
mod no_spurious_loss;
mod no_unexplained_error;
mod nothing_left;
mod one_permit_per_op;
mod prompt_return;
mod records;
mod release_by_holder;
mod served;
mod server_limit;
mod servers;
mod span;
mod stolen;
#[cfg(test)]
mod story;
mod token_order;
mod token_unique;
mod troubles;

pub use invariant::Invariant;
pub use linearizable::linearizable;

use facts::Facts;

/// Every rule that [`check`] applies. [`linearizable`] is apart, because it searches.
const RULES: [fn(&Facts<'_>, &mut Report); 23] = [
    exclusive_slot::check,
    at_most_limit::check,
    server_limit::check,
    token_unique::check,
    token_order::check,
    fence_accepts::check,
    fence_refuses::check,
    loss_told::check,
    no_spurious_loss::check,
    fifo::check,
    stolen::check,
    no_leak::check,
    prompt_return::check,
    hand_over::check,
    idle_permit::check,
    served::check,
    release_by_holder::check,
    one_permit_per_op::check,
    no_unexplained_error::check,
    loss_final::check,
    acknowledged::check,
    nothing_left::check,
    end_final::check,
];

/// Holds a history against every invariant. Takes O(n log n) for n events.
///
/// # Examples
///
/// ```
/// use semafence_sim::check::check;
/// use semafence_sim::history::History;
///
/// assert!(check(&History::default()).is_clean());
/// ```
#[must_use]
pub fn check(history: &History) -> Report {
    let facts = Facts::of(history);
    let mut report = Report::default();
    for rule in RULES {
        rule(&facts, &mut report);
    }
    report.violations.sort_by_key(|violation| violation.at);
    report
}

/// What a history broke, and what its faults rightly cost.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// What must not be, oldest first.
    pub violations: Vec<Violation>,
    /// Two permits of one slot that were believed in at once where a fault explains it, within their bound.
    pub overlaps: Vec<Overlap>,
}

/// Something that must not be.
#[derive(Debug, Clone, PartialEq)]
pub struct Violation {
    /// When it showed.
    pub at: Duration,
    /// What it breaks.
    pub invariant: Invariant,
    /// What happened, in words.
    pub text: String,
    /// The acquisitions it involves.
    pub ops: Vec<Op>,
}

/// Two permits of one slot that were believed in at once although nobody erred: a server had forgotten the older one, or
/// two servers granted, or a clock had stepped.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlap {
    /// The semaphore.
    pub name: String,
    /// The first slot that both have.
    pub slot: u32,
    /// The permit that is outranked, and has to be lost.
    pub older: Op,
    /// The one that outranks it.
    pub newer: Op,
    /// From when both were acted on.
    pub from: Duration,
    /// Until when.
    pub until: Duration,
    /// The moment by which it had to be over.
    pub bound: Duration,
}

impl Report {
    /// Whether no invariant is broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations.is_empty()
    }

    pub(crate) fn add(&mut self, invariant: Invariant, at: Duration, ops: impl Into<Vec<Op>>, text: impl Into<String>) {
        self.violations.push(Violation {
            at,
            invariant,
            text: text.into(),
            ops: ops.into(),
        });
    }
}

/// One violation a line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.violations
            .iter()
            .try_for_each(|violation| writeln!(f, "{violation}"))
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s: {}: {}", self.at.as_secs_f64(), self.invariant, self.text)
    }
}
