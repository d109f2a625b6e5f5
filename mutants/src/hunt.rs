//! Looks for a history that shows a mutant.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use semafence_sim::check::{Invariant, Report};
use semafence_sim::explore::{Options, Plan, Profile, run, run_with};
use semafence_sim::{ScriptEdit, mutant};

use crate::mutant::Mutant;
use crate::script::{Replace, edit};

/// How many plans are tried for each mutant before it counts as a survivor.
const MOST: usize = 600;

/// What is hunted: a mutant, by the parts of it that make it one.
#[derive(Debug, Clone, Copy)]
pub struct Prey {
    /// The switch of a mutant of the Rust sources.
    pub name: &'static str,
    /// The edits of one of the scripts.
    pub scripts: &'static [Replace],
}

/// How a mutant was caught.
#[derive(Debug, Clone, PartialEq)]
pub struct Catch {
    /// By what.
    pub invariant: Invariant,
    /// What the checker said.
    pub text: String,
    /// In which kind of run.
    pub profile: Profile,
    /// Of which seed.
    pub seed: u64,
    /// How many histories were played, those without the mutant included.
    pub histories: usize,
    /// How long that took.
    pub took: Duration,
}

/// Looks for a mutant: in its first plan, and then in all its profiles with the seeds from 1, one after another.
#[must_use]
pub fn catch(mutant: &Mutant, from_scratch: bool) -> Option<Catch> {
    let started = Instant::now();
    let mut histories = 0;
    let seeds = (1..).flat_map(|seed| mutant.profiles.iter().map(move |profile| (*profile, seed)));
    let first = (!from_scratch).then_some(mutant.first);
    for (profile, seed) in first.into_iter().chain(seeds).take(MOST) {
        let plan = Plan::draw(profile, seed);
        histories += 1;
        let report = Prey::of(mutant).play(&plan);
        let broken = |report: &Report| -> Vec<(Invariant, String)> {
            let violations = report.violations.iter();
            let expected = violations.filter(|violation| mutant.caught_by.contains(&violation.invariant));
            expected
                .map(|violation| (violation.invariant, violation.to_string()))
                .collect()
        };
        let mut found = broken(&report);
        if !found.is_empty() {
            histories += 1;
            let anyway = broken(&run(&plan).report);
            found.retain(|(invariant, _)| anyway.iter().all(|(other, _)| other != invariant));
        }
        if let Some((invariant, text)) = found.into_iter().next() {
            return Some(Catch {
                invariant,
                text,
                profile,
                seed,
                histories,
                took: started.elapsed(),
            });
        }
    }
    None
}

/// In how many plans of each profile, with these seeds, each invariant catches a mutant, whether it is
/// expected to or not; and the first of them.
#[must_use]
pub fn tally(
    prey: Prey,
    profiles: &[Profile],
    seeds: RangeInclusive<u64>,
    without: &mut BTreeMap<(Profile, u64), Vec<Invariant>>,
) -> BTreeMap<(Invariant, Profile), (usize, u64)> {
    let mut counts = BTreeMap::new();
    for (profile, seed) in profiles
        .iter()
        .flat_map(|profile| seeds.clone().map(|seed| (*profile, seed)))
    {
        let plan = Plan::draw(profile, seed);
        let mut found = names(&prey.play(&plan));
        if !found.is_empty() {
            let anyway = without
                .entry((profile, seed))
                .or_insert_with(|| names(&run(&plan).report));
            found.retain(|invariant| !anyway.contains(invariant));
        }
        for invariant in found {
            counts.entry((invariant, profile)).or_insert((0, seed)).0 += 1;
        }
    }
    counts
}

fn names(report: &Report) -> Vec<Invariant> {
    let mut names: Vec<Invariant> = report.violations.iter().map(|violation| violation.invariant).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Prey {
    /// What a mutant changes.
    #[must_use]
    pub const fn of(mutant: &Mutant) -> Self {
        Self {
            name: mutant.name,
            scripts: mutant.scripts,
        }
    }

    /// Plays a plan with the mutant. One that panics has shown nothing: only invariants catch.
    fn play(self, plan: &Plan) -> Report {
        let _awake = mutant::wake(self.name);
        let edit = ScriptEdit::new(move |_, script| edit(script, self.scripts));
        let options = Options {
            edit: (!self.scripts.is_empty()).then_some(edit),
            trace: false,
        };
        let outcome = catch_unwind(AssertUnwindSafe(|| run_with(plan, &options)));
        outcome.map(|outcome| outcome.report).unwrap_or_default()
    }
}
