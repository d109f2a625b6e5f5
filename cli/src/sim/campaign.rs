//! Many runs on many threads, with the result of one thread.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use semafence_sim::explore::{Options, Plan};

use super::source::Source;
use super::tally::{Run, Tally};

/// When there are enough runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// After so many.
    Runs(u64),
    /// After so long.
    Time(Duration),
}

/// Runs to be played.
#[derive(Debug)]
pub(crate) struct Campaign {
    pub(crate) source: Source,
    pub(crate) length: Length,
    pub(crate) jobs: usize,
    /// Whether it ends with the first run that fails.
    pub(crate) keep_going: bool,
    pub(crate) options: Options,
}

impl Campaign {
    /// Plays them, and counts in the order of their plans up to the first that fails: whatever other threads have
    /// played beyond that is left out, so their number changes no result.
    pub(crate) fn play(&self, mut progress: impl FnMut(&Tally)) -> Tally {
        let mut tally = Tally::default();
        let plans = Mutex::new(Plans {
            plans: self.plans(),
            next: 0,
            until: self.until(),
        });
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let (done, results) = channel();
            for _ in 0..self.threads() {
                let done = done.clone();
                scope.spawn(|| self.work(&plans, &stop, done));
            }
            drop(done);
            let mut early = BTreeMap::new();
            for (turn, run) in results {
                early.insert(turn, run);
                while let Some(run) = early.remove(&tally.histories) {
                    tally.add(run);
                    if !self.keep_going && !tally.failed.is_empty() {
                        stop.store(true, Ordering::Relaxed);
                        return;
                    }
                }
                progress(&tally);
            }
        });
        tally
    }

    /// No more than there are runs.
    fn threads(&self) -> usize {
        let runs = match (&self.source, self.length) {
            (Source::Given(_), _) => 1,
            (Source::Seeds(_), Length::Runs(runs)) => usize::try_from(runs).unwrap_or(usize::MAX),
            (Source::Seeds(_), Length::Time(_)) => usize::MAX,
        };
        self.jobs.min(runs)
    }

    fn plans(&self) -> Box<dyn Iterator<Item = Plan> + Send + '_> {
        match self.length {
            Length::Runs(runs) => Box::new(self.source.plans().take(usize::try_from(runs).unwrap_or(usize::MAX))),
            Length::Time(_) => self.source.plans(),
        }
    }

    fn until(&self) -> Option<Instant> {
        match self.length {
            Length::Runs(_) => None,
            Length::Time(time) => Some(Instant::now() + time),
        }
    }

    fn work(&self, plans: &Mutex<Plans<'_>>, stop: &AtomicBool, done: Sender<(u64, Run)>) {
        while !stop.load(Ordering::Relaxed) {
            let next = plans.lock().unwrap_or_else(PoisonError::into_inner).next();
            let Some((turn, plan)) = next else { return };
            if done.send((turn, Run::of(plan, &self.options))).is_err() {
                return;
            }
        }
    }
}

/// Plans that nobody plays yet.
struct Plans<'a> {
    plans: Box<dyn Iterator<Item = Plan> + Send + 'a>,
    next: u64,
    until: Option<Instant>,
}

impl Plans<'_> {
    fn next(&mut self) -> Option<(u64, Plan)> {
        if self.until.is_some_and(|until| Instant::now() >= until) {
            return None;
        }
        let plan = self.plans.next()?;
        self.next += 1;
        Some((self.next - 1, plan))
    }
}
