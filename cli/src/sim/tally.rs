//! What came of many runs.

use std::time::Duration;

use semafence_sim::Marks;
use semafence_sim::check::Overlap;
use semafence_sim::explore::{MARKS, Options, Plan};

use super::defect::{Defect, play};

/// From so many runs of everything on, whatever can happen must have happened.
const ENOUGH: u64 = 3_000;

/// One run, as far as it is counted.
#[derive(Debug)]
pub(crate) struct Run {
    plan: Plan,
    simulated: Duration,
    events: u64,
    marks: Marks,
    overlaps: Vec<Overlap>,
    defect: Option<Defect>,
}

impl Run {
    /// Plays a plan.
    pub(crate) fn of(plan: Plan, options: &Options) -> Self {
        match play(&plan, options) {
            Ok(outcome) => Self {
                plan,
                simulated: outcome.simulated,
                events: outcome.history.events.len() as u64,
                defect: Defect::of(&outcome),
                marks: outcome.marks,
                overlaps: outcome.report.overlaps,
            },
            Err(defect) => Self {
                plan,
                simulated: Duration::ZERO,
                events: 0,
                marks: Marks::default(),
                overlaps: Vec::new(),
                defect: Some(defect),
            },
        }
    }
}

/// All runs so far, in the order of their plans.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Tally {
    /// How many.
    pub(crate) histories: u64,
    /// The first plan and the last.
    pub(crate) range: Option<(Plan, Plan)>,
    /// World time, added up.
    pub(crate) simulated: Duration,
    /// What happened in them, counted.
    pub(crate) events: u64,
    /// What they covered.
    pub(crate) marks: Marks,
    /// Overlaps that a fault explains.
    pub(crate) overlaps: u64,
    /// The longest of them, and its seed.
    pub(crate) longest: Option<(u64, Overlap)>,
    /// The runs that failed.
    pub(crate) failed: Vec<(Plan, Defect)>,
}

impl Tally {
    pub(crate) fn add(&mut self, run: Run) {
        self.histories += 1;
        self.simulated += run.simulated;
        self.events += run.events;
        self.marks.add(&run.marks);
        self.overlaps += run.overlaps.len() as u64;
        for overlap in run.overlaps {
            if self
                .longest
                .as_ref()
                .is_none_or(|(_, longest)| length(longest) < length(&overlap))
            {
                self.longest = Some((run.plan.seed, overlap));
            }
        }
        match &mut self.range {
            None => self.range = Some((run.plan.clone(), run.plan.clone())),
            Some((_, last)) => *last = run.plan.clone(),
        }
        if let Some(defect) = run.defect {
            self.failed.push((run.plan, defect));
        }
    }

    /// What never happened though it should have, if all kinds of runs were played.
    pub(crate) fn missing(&self, everything: bool) -> Vec<&'static str> {
        if !everything || self.histories < ENOUGH {
            return Vec::new();
        }
        let never = |mark: &&&str| self.marks.count(mark) == 0;
        MARKS.iter().filter(never).copied().collect()
    }
}

/// For how long two permits were acted on at once.
pub(crate) fn length(overlap: &Overlap) -> Duration {
    overlap.until.saturating_sub(overlap.from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_enough_runs_of_everything_never_met_is_missing() {
        let many = Tally {
            histories: ENOUGH,
            ..Tally::default()
        };
        let few = Tally {
            histories: ENOUGH - 1,
            ..Tally::default()
        };

        assert_eq!(many.missing(true), MARKS);
        assert!(many.missing(false).is_empty());
        assert!(few.missing(true).is_empty());
    }
}
