//! Which time is drawn.

use std::collections::BTreeMap;
use std::time::Duration;

use super::blame::Blame;
use super::faults::Band;
use super::permits::Acquisition;
use crate::check::Report;
use crate::history::Op;

/// How far back a cause is looked for.
const CAUSE: Duration = Duration::from_secs(8);
/// How much of what came before and after is drawn for those that are involved.
const BEFORE: Duration = Duration::from_secs(6);
const AFTER: Duration = Duration::from_secs(3);
/// The least that is drawn.
const LEAST: Duration = Duration::from_secs(3);

/// From when until when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    pub(super) from: Duration,
    pub(super) until: Duration,
}

impl Window {
    /// Whether a span is in it, at least in part.
    pub(super) fn shows(&self, from: Duration, until: Duration) -> bool {
        from <= self.until && self.from <= until
    }

    pub(super) fn length(&self) -> Duration {
        self.until - self.from
    }
}

/// The time around what is most interesting: the first violation, or else the longest overlap, or else the first fault;
/// all of it where nothing is.
pub(super) fn interesting(
    blames: &[Blame<'_>],
    report: &Report,
    bands: &[Band],
    all: &BTreeMap<Op, Acquisition<'_>>,
    end: Duration,
) -> Window {
    let whole = Window {
        from: Duration::ZERO,
        until: end.max(Duration::from_secs(1)),
    };
    let longest = report
        .overlaps
        .iter()
        .max_by_key(|overlap| overlap.until - overlap.from);
    let (from, until) = if let Some(blame) = blames.first() {
        around(blame.violation.at, blame.violation.at, blame.ops.iter(), bands, all)
    } else if let Some(overlap) = longest {
        around(
            overlap.from,
            overlap.until,
            [&overlap.older, &overlap.newer],
            bands,
            all,
        )
    } else if let Some(band) = bands.first() {
        (
            band.at.saturating_sub(Duration::from_secs(2)),
            band.until + Duration::from_secs(6),
        )
    } else {
        return whole;
    };
    with_margin(from, until, whole)
}

fn around<'a>(
    first: Duration,
    last: Duration,
    ops: impl IntoIterator<Item = &'a Op>,
    bands: &[Band],
    all: &BTreeMap<Op, Acquisition<'_>>,
) -> (Duration, Duration) {
    let (mut from, mut until) = (first, last);
    for acquisition in ops.into_iter().filter_map(|op| all.get(op)) {
        let (begin, end) = acquisition.span();
        let begin = acquisition.permit.as_ref().map_or(begin, |permit| permit.granted);
        from = from.min(begin.max(first.saturating_sub(BEFORE)));
        until = until.max(end.min(last + AFTER));
    }
    let causes = bands
        .iter()
        .filter(|band| band.at <= last && first.saturating_sub(CAUSE) <= band.felt);
    for band in causes {
        from = from.min(band.at.max(first.saturating_sub(CAUSE)));
    }
    (from, until)
}

fn with_margin(from: Duration, until: Duration, whole: Window) -> Window {
    let length = until.saturating_sub(from);
    let margin = (length / 12)
        .max(LEAST.saturating_sub(length) / 2)
        .max(Duration::from_millis(300));
    Window {
        from: from.saturating_sub(margin).min(whole.until),
        until: (until + margin).min(whole.until),
    }
}
