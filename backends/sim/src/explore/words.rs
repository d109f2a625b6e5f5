//! The words of a plan's lines.

use std::str::FromStr;
use std::time::Duration;

use super::names::{Names, named};

/// A line of a plan that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParsePlanError {
    line: String,
    reason: String,
}

impl ParsePlanError {
    pub(super) fn new(line: &str, reason: impl Into<String>) -> Self {
        Self {
            line: line.to_owned(),
            reason: reason.into(),
        }
    }
}

impl std::fmt::Display for ParsePlanError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in \"{}\"", self.reason, self.line)
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

    pub(super) fn verb(&self) -> Result<&'a str, ParsePlanError> {
        Ok(self.words[1])
    }

    pub(super) fn unknown_verb(&self, verb: &str) -> ParsePlanError {
        self.error(format!("there is no fault {verb}"))
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

    /// A clock's rate; a tenth off is more than any clock is.
    pub(super) fn ppm(&mut self) -> Result<i32, ParsePlanError> {
        match self.number("ppm")? {
            ppm @ -100_000..=100_000 => Ok(ppm),
            _ => Err(self.error("ppm must be within -100000 and 100000")),
        }
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
        number.ok_or_else(|| self.error(format!("{key} is no number of milliseconds like -500ms: {text}")))
    }

    pub(super) fn range(&mut self, key: &str) -> Result<(u32, u32), ParsePlanError> {
        let text = self.take(key)?;
        let range = text.split_once('-');
        let range = range.and_then(|(first, last)| Some((first.parse().ok()?, last.parse().ok()?)));
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
        read_ms(text).ok_or_else(|| self.error(format!("{what} is no time like 1500ms: {text}")))
    }

    fn error(&self, reason: impl Into<String>) -> ParsePlanError {
        ParsePlanError::new(self.line, reason)
    }
}

/// At most a day: a run is far shorter.
pub(super) fn read_ms(text: &str) -> Option<Duration> {
    let number = text.strip_suffix("ms")?.parse().ok()?;
    (number <= 86_400_000).then(|| Duration::from_millis(number))
}
