//! `semafence sim`: many runs on the simulator, each with faults, each checked.

mod args;
mod campaign;
mod defect;
mod finding;
mod gallery;
mod source;
mod tally;
mod verdict;

use std::thread;
use std::time::{Duration, Instant};

use semafence_sim::SEED_VARIABLE;
use semafence_sim::explore::Options;

pub(crate) use self::args::SimArgs;
use self::campaign::{Campaign, Length};
use self::finding::{Finding, Shown};
use self::source::Source;
use self::tally::Tally;
use self::verdict::{Verdict, grouped};
use crate::console::Console;
use crate::exit;
use crate::failure::Failure;
use crate::settings::Settings;

/// How many runs where nothing says.
const RUNS: u64 = 1_000;
/// How often progress is shown.
const FRAME: Duration = Duration::from_millis(200);

/// Plays them, and tells what they have shown.
pub(crate) fn sim(args: &SimArgs, settings: &Settings) -> Result<u8, Failure> {
    let console = &settings.console;
    let verdict = explore(args, Options::default(), console)?;
    if console.json {
        console.data(&format!("{}\n", verdict.object()))?;
    } else {
        console.data(&verdict.text())?;
    }
    Ok(exit_code(&verdict))
}

fn exit_code(verdict: &Verdict) -> u8 {
    if verdict.holds() { 0 } else { exit::CHECKS_FAILED }
}

/// Plays what the options ask for, in worlds as `options` say.
fn explore(args: &SimArgs, options: Options, console: &Console) -> Result<Verdict, Failure> {
    let campaign = Campaign {
        source: Source::of(args, first_seed(args, console)?)?,
        length: length(args),
        jobs: jobs(args),
        keep_going: args.keep_going,
        options,
    };
    let started = Instant::now();
    let mut shown = started;
    let tally = campaign.play(|tally| {
        if shown.elapsed() >= FRAME {
            shown = Instant::now();
            console.transient(&progress(tally));
        }
    });
    let wall = started.elapsed();
    if tally.histories == 0 {
        console.transient("");
        return Err(Failure::usage("no plan of this kind has faults of these words only"));
    }
    let tried = |count| console.transient(&format!("a run has failed; {count} smaller plans tried"));
    let finding = Finding::of(&campaign, &tally, !args.no_shrink, tried);
    console.transient("");
    let look = args.trace || args.html.is_some() || args.svg.is_some();
    let shown = look.then(|| Shown::of(&campaign, &tally, finding.as_ref())).flatten();
    match &shown {
        Some(shown) => gallery::hang(args, shown, &campaign.source)?,
        None if look => console.warn("there are several runs and none has failed: none of them is shown"),
        None => {}
    }
    Ok(Verdict {
        missing: tally.missing(campaign.source.is_everything()),
        trace: shown.filter(|_| args.trace).map(|shown| shown.outcome.trace),
        source: campaign.source,
        tally,
        wall,
        finding,
    })
}

/// From the environment, or else a fresh one, which is told at once: who ends the program wants to know it too.
fn first_seed(args: &SimArgs, console: &Console) -> Result<u64, Failure> {
    if args.seed.is_some() || args.plan.is_some() {
        return Ok(0);
    }
    if let Some(text) = std::env::var(SEED_VARIABLE).ok().filter(|text| !text.is_empty()) {
        return text
            .parse()
            .map_err(|_| Failure::config(format!("{SEED_VARIABLE} is no number: {text}")));
    }
    let fresh = getrandom::u64().map_err(|error| Failure::internal(format!("no fresh seed: {error}")))?;
    // Short enough to be read out, and rare enough to meet none again.
    let fresh = fresh >> 20;
    console.note(&format!("seeds from {fresh}"));
    Ok(fresh)
}

fn length(args: &SimArgs) -> Length {
    match (args.minutes, args.runs) {
        (Some(minutes), _) => Length::Time(minutes),
        (None, Some(runs)) => Length::Runs(runs.get()),
        (None, None) if args.seed.is_some() => Length::Runs(1),
        (None, None) => Length::Runs(RUNS),
    }
}

fn jobs(args: &SimArgs) -> usize {
    let all = || thread::available_parallelism().map_or(1, usize::from);
    args.jobs.map_or_else(all, usize::from)
}

fn progress(tally: &Tally) -> String {
    let seed = tally.range.as_ref().map_or(0, |(_, last)| last.seed);
    let failed = match tally.failed.len() {
        0 => String::new(),
        failed => format!(", {failed} failed"),
    };
    format!("{} histories, seed {seed}{failed}", grouped(tally.histories))
}

#[cfg(test)]
mod tests;
