//! The resource refuses a write only for a newer owner of that slot.

use std::collections::BTreeMap;
use std::time::Duration;

use semafence::FencingToken;

use crate::check::facts::Facts;
use crate::check::{Invariant, Report};
use crate::history::{History, Op, What};

/// What was granted of a slot, oldest first.
type Slots<'a> = BTreeMap<(&'a str, u32), Vec<(Duration, FencingToken)>>;

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    let mut refused = refused(facts.history).peekable();
    if refused.peek().is_none() {
        return;
    }
    let slots = slots(facts);
    for (at, op, slot, token) in refused {
        let Some(life) = facts.lives.get(&op) else { continue };
        let known = slots.get(&(life.name(), slot)).map_or(&[][..], Vec::as_slice);
        let reason = known.iter().any(|(since, newer)| *since <= at && *newer > token);
        if !reason {
            let text = format!(
                "a write on slot {slot} of {} is refused, and no newer owner was granted it",
                life.name()
            );
            report.add(Invariant::FenceRefuses, at, [op], text);
        }
    }
}

fn refused(history: &History) -> impl Iterator<Item = (Duration, Op, u32, FencingToken)> {
    history.events.iter().filter_map(|event| match event.what {
        What::Wrote {
            op,
            slot,
            token,
            admitted: false,
        } => Some((event.at, op, slot, token)),
        _ => None,
    })
}

fn slots<'a>(facts: &Facts<'a>) -> Slots<'a> {
    let mut slots = Slots::new();
    let stays = facts.records.stays.iter();
    let given = stays.map(|stay| (stay.name, stay.slots, stay.span.from, stay.token));
    let told = facts.lives.values().filter_map(|life| {
        let grant = life.grant?;
        Some((life.name(), grant.slots, grant.at, grant.token))
    });
    for (name, of, at, token) in given.chain(told) {
        for slot in of {
            slots.entry((name, *slot)).or_default().push((at, token));
        }
    }
    slots
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn holders_of_different_slots_that_refuse_each_other_are_caught() {
        let report = story(
            "0 ask 1 by 1 limit=2
             10 grant 1 token=5 slots=0
             20 ask 2 by 2 limit=2
             30 grant 2 token=6 slots=1
             40 write 2 token=6 slot=1
             50 write 1 token=5 slot=0 refused
             60 return 1
             60 return 2",
        );

        assert_eq!(report.broken(), [Invariant::FenceRefuses]);
    }

    #[test]
    fn a_write_is_refused_for_an_owner_whose_answer_is_on_its_way() {
        let report = story(
            "0 ask 1 by 1
             10 grant 1 token=5
             20 pause 1
             4000 ask 2 by 2
             4005 record hold=2/6/0/7005
             4008 write 1 token=5 refused
             4010 grant 2 token=6
             5000 resume 1
             5000 lose 1
             6000 return 2
             6005 record",
        );

        assert_eq!(report.broken(), []);
    }
}
