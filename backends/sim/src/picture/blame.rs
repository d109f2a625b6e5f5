//! What violations say, and whom they involve.

use std::collections::{BTreeMap, BTreeSet};

use super::permits::Acquisition;
use crate::check::{Report, Violation};
use crate::history::Op;

/// A violation, numbered.
#[derive(Debug)]
pub(super) struct Blame<'a> {
    pub(super) number: usize,
    pub(super) violation: &'a Violation,
    /// The acquisitions that it names, also by their holder ids.
    pub(super) ops: BTreeSet<Op>,
    /// What it says, with the acquisitions in place of their holder ids.
    text: String,
}

impl Blame<'_> {
    /// Number, invariant and text in a line.
    pub(super) fn line(&self) -> String {
        let Violation { at, invariant, .. } = self.violation;
        format!("{}. {:.3} s: {invariant}: {}", self.number, at.as_secs_f64(), self.text)
    }
}

/// All violations, oldest first.
pub(super) fn blames<'a>(report: &'a Report, all: &BTreeMap<Op, Acquisition<'_>>) -> Vec<Blame<'a>> {
    let mut violations: Vec<&Violation> = report.violations.iter().collect();
    violations.sort_by_key(|violation| violation.at);
    let numbered = (1..).zip(violations);
    numbered
        .map(|(number, violation)| blame(number, violation, all))
        .collect()
}

fn blame<'a>(number: usize, violation: &'a Violation, all: &BTreeMap<Op, Acquisition<'_>>) -> Blame<'a> {
    let mut ops: BTreeSet<Op> = violation.ops.iter().copied().collect();
    let mut text = violation.text.clone();
    for (op, acquisition) in all {
        let Some(permit) = &acquisition.permit else { continue };
        let holder = permit.holder.to_string();
        if text.contains(&holder) {
            ops.insert(*op);
            text = text.replace(&holder, &format!("#{op} of client {}", acquisition.asked.client));
        }
    }
    Blame {
        number,
        violation,
        ops,
        text,
    }
}
