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
    /// Who the holders in its text are.
    pub(super) who: String,
}

impl Blame<'_> {
    /// Number, invariant and text in a line.
    pub(super) fn line(&self) -> String {
        format!("{}. {}{}", self.number, self.violation, self.who)
    }
}

/// All violations, oldest first.
pub(super) fn blames<'a>(report: &'a Report, all: &BTreeMap<Op, Acquisition<'_>>) -> Vec<Blame<'a>> {
    let mut violations: Vec<&Violation> = report.violations.iter().collect();
    violations.sort_by_key(|violation| violation.at);
    (1..)
        .zip(violations)
        .map(|(number, violation)| {
            let mut ops: BTreeSet<Op> = violation.ops.iter().copied().collect();
            let mut who = String::new();
            for (op, acquisition) in all {
                let holder = acquisition.permit.as_ref().map(|permit| permit.holder.to_string());
                if holder.is_some_and(|holder| violation.text.contains(&holder)) {
                    ops.insert(*op);
                    who += &format!(" (that is #{op} of client {})", acquisition.asked.client);
                }
            }
            Blame {
                number,
                violation,
                ops,
                who,
            }
        })
        .collect()
}
