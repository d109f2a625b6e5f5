//! The words of a plan's lines.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use super::names::{Names, named};

/// The verbs of faults, as their lines print them; read with `_` and `-` alike.
pub(super) const VERBS: [&str; 31] = [
    "crash",
    "cut",
    "deaf",
    "delay",
    "drift",
    "drift_clock",
    "drop",
    "duplicate",
    "evict",
    "failover",
    "flush-all",
    "flush-scripts",
    "force",
    "freeze",
    "hang",
    "hold",
    "kill",
    "lag",
    "noise",
    "partition",
    "pause",
    "refuse",
    "resize",
    "restart-empty",
    "revert",
    "split",
    "step-wall",
    "step_clock",
    "suspend",
    "wobble",
    "wobble_clock",
];
/// How much faster or slower a clock may run. The library allows two clocks to run apart by 1 %: half of it each.
const PPM_MAX: i32 = 5_000;
/// What the library takes for a limit.
const LIMIT_MAX: u32 = 65_536;
/// A run is far shorter than a day.
const TIME_MAX_MS: u64 = 86_400_000;

/// A line of a plan that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsePlanError {
    number: Option<usize>,
    line: String,
    reason: String,
}

impl ParsePlanError {
    pub(super) fn new(line: &str, reason: impl Into<String>) -> Self {
        Self {
            number: None,
            line: line.to_owned(),
            reason: reason.into(),
        }
    }

    /// The same, of the line with this number, counted from 1.
    pub(super) fn at(self, number: usize) -> Self {
        let number = Some(number);
        Self { number, ..self }
    }
}

impl std::fmt::Display for ParsePlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(number) = self.number {
            write!(f, "line {number}: ")?;
        }
        f.write_str(&self.reason)?;
        match self.line.as_str() {
            "" => f.write_str(" at the end"),
            line => write!(f, " in \"{line}\""),
        }
    }
}

impl std::error::Error for ParsePlanError {}

/// A time as plans print it.
pub(super) fn ms(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

/// A line that is read word by word.
#[derive(Debug)]
pub(super) struct Words<'a> {
    line: &'a str,
    words: Vec<&'a str>,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Result<Self, ParsePlanError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.len() < 2 {
            return Err(ParsePlanError::new(line, "a time and a verb are missing"));
        }
        Ok(Self { line, words })
    }

    pub(super) fn moment(&self) -> Result<Duration, ParsePlanError> {
        self.read_time("the time of the fault", self.words[0])
    }

    /// With dashes between its parts.
    pub(super) fn verb(&self) -> String {
        self.words[1].replace('_', "-")
    }

    pub(super) fn unknown_verb(&self) -> ParsePlanError {
        let (verb, known) = (self.words[1], VERBS.join(", "));
        self.error(format!("there is no fault {verb}, only {known},"))
    }

    pub(super) fn number<T: FromStr>(&mut self, key: &str) -> Result<T, ParsePlanError> {
        let text = self.take(key)?;
        text.parse()
            .map_err(|_| self.error(format!("{key} is no number: {text}")))
    }

    pub(super) fn positive<T: FromStr + Default + PartialEq>(&mut self, key: &str) -> Result<T, ParsePlanError> {
        match self.number(key)? {
            zero if zero == T::default() => Err(self.error(format!("{key} must be above 0"))),
            number => Ok(number),
        }
    }

    /// A clock's rate. One beyond what the library allows would accuse it of what it does not promise.
    pub(super) fn ppm(&mut self) -> Result<i32, ParsePlanError> {
        self.within("ppm", -PPM_MAX..=PPM_MAX)
    }

    pub(super) fn limit(&mut self) -> Result<u32, ParsePlanError> {
        self.within("limit", 1..=LIMIT_MAX)
    }

    fn within<T: FromStr + PartialOrd + Display>(
        &mut self,
        key: &str,
        range: RangeInclusive<T>,
    ) -> Result<T, ParsePlanError> {
        let number = self.number(key)?;
        if range.contains(&number) {
            return Ok(number);
        }
        Err(self.error(format!("{key} must be within {} and {}", range.start(), range.end())))
    }

    pub(super) fn time(&mut self, key: &str) -> Result<Duration, ParsePlanError> {
        let text = self.take(key)?;
        self.read_time(key, text)
    }

    pub(super) fn period(&mut self) -> Result<Duration, ParsePlanError> {
        match self.time("period")? {
            short if short < Duration::from_millis(10) => Err(self.error("period must be at least 10ms")),
            period => Ok(period),
        }
    }

    /// Milliseconds forward or back; at most a year, so that no clock leaves its range.
    pub(super) fn step(&mut self, key: &str) -> Result<i64, ParsePlanError> {
        const YEAR_MS: i64 = 31_536_000_000;
        let text = self.take(key)?;
        let number = text.strip_suffix("ms").and_then(|number| number.parse().ok());
        let number = number.filter(|number| (-YEAR_MS..=YEAR_MS).contains(number));
        number.ok_or_else(|| {
            self.error(format!(
                "{key} is no time like -500ms, at most {YEAR_MS}ms either way: {text}"
            ))
        })
    }

    pub(super) fn range(&mut self, key: &str) -> Result<(u32, u32), ParsePlanError> {
        let text = self.take(key)?;
        let range = text.split_once('-');
        let range = range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
        let range = range.filter(|(first, last)| (1..=*last).contains(first));
        range.ok_or_else(|| self.error(format!("{key} is no range like 1-3: {text}")))
    }

    pub(super) fn one_of<T: Copy>(&mut self, key: &str, names: &Names<T>) -> Result<T, ParsePlanError> {
        let text = self.take(key)?;
        named(names, text).map_err(|known| self.error(format!("{key} is none of {known}: {text}")))
    }

    /// Nothing may be left over.
    pub(super) fn end(&self) -> Result<(), ParsePlanError> {
        match self.words.get(2) {
            None => Ok(()),
            Some(word) => Err(self.error(format!("{word} does not belong here"))),
        }
    }

    fn take(&mut self, key: &str) -> Result<&'a str, ParsePlanError> {
        let is_key = |word: &&str| word.split_once('=').is_some_and(|(name, _)| name == key);
        match self.words.iter().position(is_key) {
            Some(index) if index >= 2 => Ok(&self.words.remove(index)[key.len() + 1..]),
            _ => Err(self.error(format!("{key}= is missing"))),
        }
    }

    fn read_time(&self, what: &str, text: &str) -> Result<Duration, ParsePlanError> {
        read_ms(text).ok_or_else(|| self.error(format!("{}: {text}", no_time(what))))
    }

    fn error(&self, reason: impl Into<String>) -> ParsePlanError {
        ParsePlanError::new(self.line, reason)
    }
}

pub(super) fn read_ms(text: &str) -> Option<Duration> {
    let number = text.strip_suffix("ms")?.parse().ok()?;
    (number <= TIME_MAX_MS).then(|| Duration::from_millis(number))
}

/// What is wrong with a text that [`read_ms`] does not read.
pub(super) fn no_time(what: &str) -> String {
    format!("{what} is no time like 1500ms, at most {TIME_MAX_MS}ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explore::{Fault, Plan, Profile};

    #[test]
    fn every_verb_that_is_printed_is_listed_and_every_listed_one_is_read() {
        for seed in 1..500 {
            for fault in Plan::draw(Profile::of(seed), seed).faults {
                let text = fault.verb.to_string();
                let verb = text.split(' ').next().expect("a verb");
                assert!(VERBS.contains(&verb), "{text}");
            }
        }
        for verb in VERBS {
            let read = format!("1ms {verb}").parse::<Fault>();
            let known = read.map_or_else(|error| !error.to_string().contains("no fault"), |_| true);
            assert!(known, "{verb}");
        }
    }
}
