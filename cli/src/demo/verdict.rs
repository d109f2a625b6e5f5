//! Whether what happened is what was promised.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::cast::{Cast, LIMIT};
use super::journal::{Event, What};
use crate::duration::short;

const NEXT: &str = "
Next, with a server of your own:
  semafence --url redis://127.0.0.1/ run --limit 2 printers -c 'echo slot $SEMAFENCE_SLOT, token $SEMAFENCE_TOKEN'
";

/// The promises, each with what was seen.
#[derive(Debug)]
pub(super) struct Verdict {
    checks: Vec<Check>,
}

/// A promise, and what was seen of it.
#[derive(Debug, PartialEq, Eq)]
struct Check {
    name: &'static str,
    holds: bool,
    seen: String,
}

impl Verdict {
    pub(super) fn of(events: &[Event], cast: &Cast) -> Self {
        let names: Vec<&str> = cast.names().collect();
        Self {
            checks: vec![
                limit_kept(events),
                everybody_served(events, &names),
                tokens_in_order(events),
                loss_before_next(events, &names),
                stale_write_refused(events, &names),
            ],
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.checks.iter().all(|check| check.holds)
    }

    pub(super) fn text(&self) -> String {
        let lines: Vec<String> = self.checks.iter().map(Check::line).collect();
        let end = if self.holds() {
            "All of it held."
        } else {
            "This should not have happened; please report it."
        };
        format!(
            "\nWhat was promised, and what was seen:\n{}{end}\n{NEXT}",
            lines.concat()
        )
    }

    pub(super) fn object(&self) -> Value {
        let check = |check: &Check| json!({ "name": check.name, "holds": check.holds, "seen": check.seen });
        json!({
            "schema": "semafence/demo/v1",
            "holds": self.holds(),
            "checks": self.checks.iter().map(check).collect::<Vec<_>>(),
        })
    }
}

impl Check {
    fn line(&self) -> String {
        let mark = if self.holds { "ok  " } else { "FAIL" };
        format!("  {mark}  {:<20}  {}\n", self.name, self.seen)
    }
}

fn limit_kept(events: &[Event]) -> Check {
    let turns = turns(events);
    // A turn that ends when another begins makes room for it: ends sort before beginnings.
    let mut steps: Vec<(Duration, i32)> = turns.iter().flat_map(|turn| [(turn.from, 1), (turn.to, -1)]).collect();
    steps.sort_unstable();
    let inside = steps.iter().scan(0, |inside, (_, step)| {
        *inside += step;
        Some(*inside)
    });
    let most = inside.max().unwrap_or(0);
    Check {
        name: "limit kept",
        holds: (1..=LIMIT.cast_signed()).contains(&most),
        seen: format!("never more than {most} of {LIMIT} inside, in {} turns", turns.len()),
    }
}

/// From entering to leaving, or to the moment from which the worker's own clock said that its lease was over.
struct Turn {
    from: Duration,
    to: Duration,
}

fn turns(events: &[Event]) -> Vec<Turn> {
    let entered = events
        .iter()
        .enumerate()
        .filter(|(_, event)| matches!(event.what, What::Enters { .. }));
    let turn = |(index, entered): (usize, &Event)| {
        let later = events[index..].iter().filter(|event| event.worker == entered.worker);
        let end = later.filter_map(|event| match event.what {
            What::Leaves => Some(event.at),
            What::Loses { ended, .. } => Some(ended.min(event.at)),
            _ => None,
        });
        Turn {
            from: entered.at,
            to: end.min().unwrap_or(Duration::MAX),
        }
    };
    entered.map(turn).collect()
}

fn everybody_served(events: &[Event], names: &[&str]) -> Check {
    let turns = |number| {
        events
            .iter()
            .filter(|event| event.worker == number && matches!(event.what, What::Enters { .. }))
            .count()
    };
    let counts: Vec<(usize, &str)> = names
        .iter()
        .enumerate()
        .map(|(number, name)| (turns(number), *name))
        .collect();
    let seen: Vec<String> = counts.iter().map(|(count, name)| format!("{name} {count}")).collect();
    Check {
        name: "everybody served",
        holds: counts.iter().all(|(count, _)| *count > 0),
        seen: format!("turns in order of arrival: {}", seen.join(", ")),
    }
}

fn tokens_in_order(events: &[Event]) -> Check {
    let mut newest: BTreeMap<u32, u64> = BTreeMap::new();
    let (mut grants, mut wrong) = (0, 0);
    for event in events {
        if let What::Enters { slot, token } = event.what {
            let before = newest.insert(slot, token.as_u64());
            grants += 1;
            wrong += u32::from(before.is_some_and(|before| before >= token.as_u64()));
        }
    }
    Check {
        name: "tokens in order",
        holds: grants > 0 && wrong == 0,
        seen: format!(
            "{grants} grants of {} slots, {wrong} tokens not larger than the one before",
            newest.len()
        ),
    }
}

fn loss_before_next(events: &[Event], names: &[&str]) -> Check {
    let check = |holds, seen| Check {
        name: "lost in time",
        holds,
        seen,
    };
    let Some(loss) = Loss::find(events) else {
        return check(
            false,
            "nobody lost a lease and was replaced, and one should have been".to_owned(),
        );
    };
    let seen = format!(
        "{}'s lease was over by its own clock {} before {} got the slot",
        names[loss.worker],
        short(loss.next_at.saturating_sub(loss.ended)),
        names[loss.next]
    );
    check(loss.next_at >= loss.ended, seen)
}

/// A lost lease, and who got its slot next.
struct Loss {
    worker: usize,
    ended: Duration,
    next: usize,
    next_at: Duration,
}

impl Loss {
    fn find(events: &[Event]) -> Option<Self> {
        let (at, worker, ended) = events.iter().enumerate().find_map(|(at, event)| match event.what {
            What::Loses { ended, .. } => Some((at, event.worker, ended)),
            _ => None,
        })?;
        let entered = events[..at]
            .iter()
            .rposition(|event| event.worker == worker && slot(event).is_some())?;
        let next = events[entered + 1..]
            .iter()
            .find(|event| slot(event) == slot(&events[entered]))?;
        Some(Self {
            worker,
            ended,
            next: next.worker,
            next_at: next.at,
        })
    }
}

fn slot(event: &Event) -> Option<u32> {
    match event.what {
        What::Enters { slot, .. } => Some(slot),
        _ => None,
    }
}

fn stale_write_refused(events: &[Event], names: &[&str]) -> Check {
    let paused: Vec<usize> = events
        .iter()
        .filter(|event| event.what == What::Pauses)
        .map(|event| event.worker)
        .collect();
    let refused: Vec<&Event> = events
        .iter()
        .filter(|event| matches!(event.what, What::Refused(_)))
        .collect();
    let accepted = events.iter().filter(|event| event.what == What::Writes).count();
    let by_the_paused_alone = refused.iter().all(|event| paused.contains(&event.worker));
    let who = paused.first().map_or("nobody", |&number| names[number]);
    Check {
        name: "stale write refused",
        holds: refused.len() == 1 && by_the_paused_alone && accepted > 0,
        seen: format!(
            "{accepted} writes accepted, {} refused: {who}'s, after its pause",
            refused.len()
        ),
    }
}

#[cfg(test)]
mod tests {
    use semafence::{FencingToken, LossReason, StaleToken};

    use super::*;

    const NAMES: [&str; 2] = ["Ada", "Ben"];

    fn event(at_ms: u64, worker: usize, what: What) -> Event {
        Event {
            at: Duration::from_millis(at_ms),
            worker,
            what,
        }
    }

    fn enters(slot: u32, token: u64) -> What {
        What::Enters {
            slot,
            token: FencingToken::from_u64(token),
        }
    }

    fn loses(ended_ms: u64) -> What {
        What::Loses {
            reason: LossReason::Expired,
            ended: Duration::from_millis(ended_ms),
        }
    }

    #[test]
    fn three_inside_at_once_are_one_too_many() {
        let mut events = vec![
            event(0, 0, enters(0, 1)),
            event(10, 1, enters(1, 2)),
            event(20, 2, enters(0, 3)),
        ];
        assert!(!limit_kept(&events).holds);

        events.insert(2, event(20, 0, What::Leaves));
        assert!(limit_kept(&events).holds);
    }

    #[test]
    fn a_token_that_does_not_grow_within_its_slot_is_seen() {
        let events = |last| {
            [
                event(0, 0, enters(0, 5)),
                event(1, 1, enters(1, 4)),
                event(2, 0, enters(0, last)),
            ]
        };

        assert!(tokens_in_order(&events(6)).holds);
        assert!(!tokens_in_order(&events(5)).holds);
    }

    #[test]
    fn a_successor_before_the_end_of_the_lease_is_seen() {
        let events = |next| {
            [
                event(0, 0, enters(1, 1)),
                event(next, 1, enters(1, 2)),
                event(1010, 0, loses(1000)),
            ]
        };

        assert!(!loss_before_next(&events(900), &NAMES).holds);
        assert!(!loss_before_next(&[], &NAMES).holds);
        let mut in_time = events(1020);
        in_time.swap(1, 2);
        let check = loss_before_next(&in_time, &NAMES);
        assert!(check.holds);
        assert_eq!(
            check.seen,
            "Ada's lease was over by its own clock 20ms before Ben got the slot"
        );
    }

    #[test]
    fn a_stale_write_that_is_accepted_or_a_good_one_that_is_refused_is_seen() {
        let token = FencingToken::from_u64(1);
        let refused = What::Refused(StaleToken {
            slot: 0,
            token,
            newest: FencingToken::from_u64(2),
        });
        let story = |last| [event(0, 0, What::Writes), event(1, 0, What::Pauses), last];

        assert!(stale_write_refused(&story(event(2, 0, refused)), &NAMES).holds);
        assert!(!stale_write_refused(&story(event(2, 0, What::Writes)), &NAMES).holds);
        assert!(!stale_write_refused(&story(event(2, 1, refused)), &NAMES).holds);
    }
}
