//! Whether the backend serves, so that an outage is told once, and not by everyone who meets it.

use std::time::Duration;

use crate::clock::Instant;
use crate::meter::Verb;

/// A verb that failed is waited for no longer than this before another's success ends the outage.
const FORGETS: Duration = Duration::from_secs(30);

/// Begins with the first call that fails in a way that may pass. Ends when every verb that failed has worked again: a
/// server that is full refuses acquires and serves refreshes, and must not be gone and back with each of them.
#[derive(Debug, Default)]
pub(crate) struct Outage {
    since: Option<Instant>,
    failed_at: [Option<Instant>; Verb::LABELS.len()],
}

/// What a call has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    Away,
    Back { after: Duration },
}

impl Outage {
    pub(crate) fn failed(&mut self, verb: Verb, now: Instant) -> Option<Turn> {
        self.failed_at[verb as usize] = Some(now);
        if self.since.is_some() {
            return None;
        }
        self.since = Some(now);
        Some(Turn::Away)
    }

    pub(crate) fn worked(&mut self, verb: Verb, now: Instant) -> Option<Turn> {
        let since = self.since?;
        self.failed_at[verb as usize] = None;
        let still_fails = |failed_at: &Instant| now.saturating_since(*failed_at) < FORGETS;
        if self.failed_at.iter().flatten().any(still_fails) {
            return None;
        }
        *self = Self::default();
        Some(Turn::Back {
            after: now.saturating_since(since),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_origin(Duration::from_secs(seconds))
    }

    fn back_after(seconds: u64) -> Option<Turn> {
        let after = Duration::from_secs(seconds);
        Some(Turn::Back { after })
    }

    #[test]
    fn an_outage_begins_and_ends_once_however_many_calls_it_meets() {
        let mut outage = Outage::default();

        assert_eq!(outage.worked(Verb::Acquire, at(0)), None);
        assert_eq!(outage.failed(Verb::Acquire, at(1)), Some(Turn::Away));
        assert_eq!(outage.failed(Verb::Acquire, at(2)), None);
        assert_eq!(outage.failed(Verb::Refresh, at(3)), None);
        assert_eq!(outage.worked(Verb::Acquire, at(4)), None);
        assert_eq!(outage.worked(Verb::Refresh, at(5)), back_after(4));
        assert_eq!(outage.worked(Verb::Refresh, at(6)), None);
    }

    #[test]
    fn a_verb_that_is_never_called_again_does_not_make_an_outage_endless() {
        let mut outage = Outage::default();
        outage.failed(Verb::Release, at(1));

        assert_eq!(outage.worked(Verb::Acquire, at(2)), None);
        assert_eq!(outage.worked(Verb::Acquire, at(31)), back_after(30));
        assert_eq!(outage.failed(Verb::Release, at(32)), Some(Turn::Away));
    }

    #[test]
    fn a_verb_that_fails_while_others_work_is_one_outage() {
        let mut outage = Outage::default();
        assert_eq!(outage.failed(Verb::Acquire, at(1)), Some(Turn::Away));

        for second in 2..100 {
            assert_eq!(outage.worked(Verb::Refresh, at(second)), None);
            assert_eq!(outage.failed(Verb::Acquire, at(second)), None);
        }
    }
}
