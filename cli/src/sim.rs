//! `semafence sim`: many runs on the simulator, each with faults, each checked.

mod args;
mod campaign;
mod defect;
mod finding;
mod gallery;
mod source;
mod tally;
mod verdict;

use std::time::{Duration, Instant};
use std::{io, mem, thread};

use semafence_sim::SEED_VARIABLE;
use semafence_sim::explore::Options;

pub(crate) use self::args::SimArgs;
use self::campaign::{Campaign, Length};
use self::finding::{Finding, Shown};
use self::source::Source;
use self::tally::Tally;
use self::verdict::{Verdict, grouped};
use crate::console::{Console, Verbosity};
use crate::exit;
use crate::failure::Failure;

/// How many runs where nothing says.
const RUNS: u64 = 1_000;
/// How often progress is shown.
const FRAME: Duration = Duration::from_millis(200);

/// Plays them, tells what they have shown, and draws it. Where one of the two cannot be written, the other is all the
/// same: it may have taken hours to find.
pub(crate) fn sim(args: &SimArgs, console: &Console) -> Result<u8, Failure> {
    gallery::check(args)?;
    let verdict = explore(args, Options::default(), console)?;
    let told = tell(&verdict, console);
    let drawn = gallery::hang(args, &verdict, console);
    told?;
    ended(&verdict, drawn)
}

/// What is broken counts for more than a picture that is missing.
fn ended(verdict: &Verdict, drawn: Result<(), Failure>) -> Result<u8, Failure> {
    let exit = exit_code(verdict);
    drawn.map(|()| exit).map_err(|failure| match exit {
        0 => failure,
        exit => Failure { exit, ..failure },
    })
}

fn tell(verdict: &Verdict, console: &Console) -> io::Result<()> {
    if console.json {
        console.data(&format!("{}\n", verdict.object()))
    } else {
        console.data(&verdict.text())
    }
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
    if let (Some(seed), Length::Runs(1), Some((first, _))) = (args.seed, campaign.length, &tally.range)
        && first.seed != seed
    {
        let played = first.seed;
        console.note(&format!(
            "seed {seed} has other faults; seed {played} is the first that fits"
        ));
    }
    let tried = |count| console.transient(&format!("a run has failed; {count} smaller plans tried"));
    let finding = Finding::of(&campaign, &tally, !args.no_shrink, tried);
    console.transient("");
    let look = args.trace || args.html.is_some() || args.svg.is_some();
    let mut shown = look.then(|| Shown::of(&campaign, &tally, finding.as_ref())).flatten();
    if look && shown.is_none() {
        console.warn(match finding {
            Some(_) => "the run panics: there is no trace and no picture of it",
            None => "there are several runs and none has failed: none of them is shown; add --seed N to see one",
        });
    }
    let trace = shown.as_mut().map(|shown| mem::take(&mut shown.outcome.trace));
    Ok(Verdict {
        missing: tally.missing(campaign.source.is_everything()),
        trace: trace.filter(|_| args.trace),
        shown,
        is_verbose: console.verbosity == Verbosity::Verbose,
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
        (None, Some(runs)) => Length::Runs(runs),
        (None, None) if args.seed.is_some() => Length::Runs(1),
        (None, None) => Length::Runs(RUNS),
    }
}

fn jobs(args: &SimArgs) -> usize {
    let all = || thread::available_parallelism().map_or(1, usize::from);
    args.jobs.unwrap_or_else(all)
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
