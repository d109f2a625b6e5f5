//! The options of `semafence sim`.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use semafence_sim::explore::{Group, Profile};

/// Play what can happen to the simulator, and check that everything holds
///
/// Clients share semaphores on a simulated server, faults befall them as a seed decides, and what happened is held
/// against the invariants: at most limit, tokens in order, losses told in time, everyone served, nothing left. Each run
/// takes milliseconds and repeats to the letter.
///
/// On a violation it says which invariant is broken, leaves out the faults that do not matter, and prints the one command
/// that repeats the run.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXIT_CODES)]
pub(crate) struct SimArgs {
    /// Seed of the first run; alone, without --runs or --minutes, it plays that run only
    /// [default: SEMAFENCE_SEED, or a fresh one]
    #[arg(long, value_parser = within(0..=u64::MAX), allow_negative_numbers = true, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// How many runs, each with the seed after the one before [default: 1000]
    #[arg(
        long,
        conflicts_with = "minutes",
        value_parser = within(1..=u64::MAX),
        allow_negative_numbers = true,
        value_name = "N"
    )]
    pub(crate) runs: Option<u64>,
    /// Play for so long instead
    #[arg(long, value_parser = minutes, allow_negative_numbers = true, value_name = "M")]
    pub(crate) minutes: Option<Duration>,
    /// How many client processes, 1-64 [default: 2-5, as the seed decides]
    #[arg(long, value_parser = within(1..=64_u32), allow_negative_numbers = true, value_name = "N")]
    pub(crate) clients: Option<u32>,
    /// Only runs of this kind
    #[arg(long, default_value = "all", value_name = "NAME|all")]
    pub(crate) profile: Profiles,
    /// Only runs that have faults, and no others than these
    #[arg(long, value_parser = group, value_delimiter = ',', value_name = "WORD,…")]
    pub(crate) faults: Vec<Group>,
    /// Play the plan in this file, such as one that a failure has printed, or -v of a single run; - is stdin
    #[arg(
        long,
        conflicts_with_all = ["seed", "runs", "minutes", "clients", "profile", "faults"],
        value_name = "FILE"
    )]
    pub(crate) plan: Option<PathBuf>,
    /// Print what happened in the failing run, or in the only one, line by line
    #[arg(long)]
    pub(crate) trace: bool,
    /// Write a picture of the failing run, or of the only one: a timeline of holders, faults and tokens as a page
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// The same as an SVG
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Draw all of the run, not only the time around what failed
    #[arg(long)]
    pub(crate) whole: bool,
    /// How many runs at a time, 1-1024; it changes no result [default: one for each processor]
    #[arg(long, value_parser = within(1..=1024_usize), allow_negative_numbers = true, value_name = "N")]
    pub(crate) jobs: Option<usize>,
    /// Go on after a violation and list them all
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Keep faults that have no part in the violation
    #[arg(long)]
    pub(crate) no_shrink: bool,
}

const EXIT_CODES: &str = "\
Profiles: calm, clocks, everything, failover, lapses, memory, network, operators, processes, quorum, server, skew, split, steps,
twice.
Faults: clock, failover, kill, memory, net, operator, partition, pause, refuse, restart, split.

Exit codes: 0 everything held; 1 an invariant is broken, or something that 3,000 runs of all profiles should have met
never happened; 64 usage, 70 internal, 78 a file cannot be read or written.";

/// Runs of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profiles {
    /// Of each, as the seed decides.
    All,
    /// Of this one.
    One(Profile),
}

impl std::str::FromStr for Profiles {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        text.parse().map(Self::One)
    }
}

/// Reads whole numbers of a range, which its message names.
fn within<T>(range: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + Display + Clone,
{
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| format!("write a whole number from {} to {}", range.start(), range.end()))
    }
}

fn minutes(text: &str) -> Result<Duration, String> {
    const YEAR: u64 = 366 * 24 * 60;
    let minutes = text.parse::<f64>().ok();
    let duration = minutes.and_then(|minutes| Duration::try_from_secs_f64(minutes * 60.0).ok());
    let duration = duration.filter(|duration| !duration.is_zero() && *duration <= Duration::from_secs(YEAR * 60));
    duration.ok_or_else(|| format!("write a number of minutes above 0, at most {YEAR}"))
}

fn group(text: &str) -> Result<Group, String> {
    text.trim().parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_profile_and_every_group_of_faults() {
        let named = |name: &str| assert!(EXIT_CODES.contains(name), "{name}");

        Profile::ALL.iter().for_each(|profile| named(&profile.to_string()));
        Group::ALL.iter().for_each(|group| named(&group.to_string()));
    }

    #[test]
    fn minutes_may_be_parts_of_one_and_nonsense_is_an_error() {
        assert_eq!(minutes("0.5"), Ok(Duration::from_secs(30)));
        for text in ["", "0", "-1", "nan", "inf", "1e300", "soon"] {
            assert!(minutes(text).is_err(), "{text}");
        }
    }
}
