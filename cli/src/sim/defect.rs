//! A run that shows something that must not be.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use semafence_sim::check::{Violation, linearizable};
use semafence_sim::explore::{Options, Outcome, Plan, run_with};

/// What is wrong with a run: the first of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Defect {
    /// The name of the invariant, or `panic`.
    pub(crate) invariant: &'static str,
    /// When it showed.
    pub(crate) at: Option<Duration>,
    /// What happened, in words.
    pub(crate) text: String,
}

impl Defect {
    /// The first violation of a run.
    pub(crate) fn of(outcome: &Outcome) -> Option<Self> {
        outcome.report.violations.first().map(Self::from)
    }

    /// The same as another run shows it, if it does: its invariant is broken anywhere in it.
    pub(crate) fn shown_by(&self, played: Result<Outcome, Self>) -> Option<Self> {
        let is_same = |defect: &Self| defect.invariant == self.invariant;
        match played {
            Ok(outcome) => outcome.report.violations.iter().map(Self::from).find(is_same),
            Err(defect) => Some(defect).filter(is_same),
        }
    }
}

impl From<&Violation> for Defect {
    fn from(violation: &Violation) -> Self {
        Self {
            invariant: violation.invariant.name(),
            at: Some(violation.at),
            text: violation.text.clone(),
        }
    }
}

/// Plays a plan and holds its history against every invariant, [`linearizable`] too.
pub(crate) fn play(plan: &Plan, options: &Options) -> Result<Outcome, Defect> {
    let played = catch_unwind(AssertUnwindSafe(|| {
        let mut outcome = run_with(plan, options);
        if outcome.report.is_clean() {
            outcome.report.violations.extend(linearizable(&outcome.history).err());
        }
        outcome
    }));
    played.map_err(|panic| Defect {
        invariant: "panic",
        at: None,
        text: words(panic.as_ref()),
    })
}

fn words(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("without words").to_owned()
}
