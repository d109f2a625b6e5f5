//! The first run that failed: made small, and how to see it again.

use semafence_sim::explore::{Options, Outcome, Plan, shrink};

use super::campaign::Campaign;
use super::defect::{Defect, play};
use super::tally::Tally;

/// A run that failed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Finding {
    /// Its plan as it was drawn.
    pub(crate) plan: Plan,
    /// The first thing that is wrong with it.
    pub(crate) defect: Defect,
    /// A smaller plan that shows the same.
    pub(crate) shrunk: Option<Shrunk>,
    /// The command that plays it again.
    pub(crate) repeat: String,
}

/// A plan that was made small.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shrunk {
    pub(crate) plan: Plan,
    /// What is wrong as its own run shows it.
    pub(crate) defect: Defect,
}

impl Finding {
    /// The first of a campaign, made small if asked for; `tried` hears of each plan that is tried.
    pub(crate) fn of(campaign: &Campaign, tally: &Tally, small: bool, mut tried: impl FnMut(u64)) -> Option<Self> {
        let (plan, defect) = tally.failed.first()?;
        let mut count = 0;
        let mut latest = None;
        let fails = |smaller: &Plan| {
            count += 1;
            tried(count);
            let shown = defect.shown_by(play(smaller, &campaign.options));
            let shows = shown.is_some();
            latest = shown.or(latest.take());
            shows
        };
        let shrunk = small.then(|| shrink(plan, fails)).filter(|shrunk| shrunk != plan);
        Some(Self {
            // The last plan that failed is the one that is left.
            shrunk: shrunk.zip(latest).map(|(plan, defect)| Shrunk { plan, defect }),
            repeat: campaign.source.repeat(plan),
            plan: plan.clone(),
            defect: defect.clone(),
        })
    }

    /// The plan to look at.
    pub(crate) fn smallest(&self) -> &Plan {
        self.shrunk.as_ref().map_or(&self.plan, |shrunk| &shrunk.plan)
    }
}

/// A run to look at closely.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) plan: Plan,
    pub(crate) outcome: Outcome,
}

impl Shown {
    /// The run that failed, or else the only one, played once more with its trace; none if it panics.
    pub(crate) fn of(campaign: &Campaign, tally: &Tally, finding: Option<&Finding>) -> Option<Self> {
        let plan = match (finding, &tally.range) {
            (Some(finding), _) => finding.smallest().clone(),
            (None, Some((plan, _))) if tally.histories == 1 => plan.clone(),
            _ => return None,
        };
        let options = Options {
            trace: true,
            ..campaign.options.clone()
        };
        let outcome = play(&plan, &options).ok()?;
        Some(Self { plan, outcome })
    }
}
