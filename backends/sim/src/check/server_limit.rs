//! What a server has on record is within the limit.

use std::collections::BTreeMap;

use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::records::Turn;
use crate::check::{Invariant, Report};
use crate::history::Record;

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    let mut rule = Rule {
        facts,
        largest: BTreeMap::new(),
    };
    for turn in &facts.records.turns {
        if let Some(text) = rule.look(turn) {
            let ops = turn
                .after
                .holders
                .iter()
                .filter_map(|lease| facts.life_of(lease.holder));
            let ops: Vec<u64> = ops.map(|life| life.op()).collect();
            report.add(Invariant::ServerLimit, turn.at, ops, text);
        }
    }
}

struct Rule<'f, 'a> {
    facts: &'f Facts<'a>,
    /// The largest limit of each name that was ever in force.
    largest: BTreeMap<&'a str, u32>,
}

impl<'a> Rule<'_, 'a> {
    fn look(&mut self, turn: &Turn<'a>) -> Option<String> {
        let record = turn.after;
        let (server, name) = (record.server, record.name.as_str());
        let largest = self.largest_ever(record);
        if let Some(slot) = shared(record) {
            return Some(format!("server {server} has two leases of slot {slot} of {name}"));
        }
        let mut slots = record.holders.iter().flat_map(|lease| &lease.slots);
        if let Some(slot) = slots.find(|slot| **slot >= largest) {
            return Some(format!(
                "server {server} has given slot {slot} of {name}, whose limit is {largest}"
            ));
        }
        let limit = self.in_force(turn, largest)?;
        let taken: usize = record.holders.iter().map(|lease| lease.slots.len()).sum();
        let (before, exceeded) = (turn.before.is_some(), taken > limit as usize);
        (before && exceeded).then(|| format!("server {server} gives {taken} slots of {name}, whose limit is {limit}"))
    }

    fn largest_ever(&mut self, record: &'a Record) -> u32 {
        let facts = self.facts;
        let name = record.name.as_str();
        let asked = || {
            facts
                .of_name(name)
                .map(|life| life.asked.limit)
                .max()
                .unwrap_or(u32::MAX)
        };
        let largest = self.largest.entry(name).or_insert_with(asked);
        *largest = record.limit.unwrap_or(0).max(*largest);
        *largest
    }

    /// The limit by which this turn has granted, if it has.
    fn in_force(&self, turn: &Turn<'a>, largest: u32) -> Option<u32> {
        let records = &self.facts.records;
        let arrived = turn.arrived.iter().map(|stay| &records.stays[*stay]);
        // What was taken in again was granted by another, under the limit of its time.
        let given = arrived.filter(|stay| records.is_gift(stay));
        let own = |life: &Life<'_>| life.asked.limit;
        let own = given
            .map(|stay| self.facts.life_of(stay.holder).map_or(largest, own))
            .max()?;
        Some(turn.after.limit.unwrap_or(own))
    }
}

fn shared(record: &Record) -> Option<u32> {
    let mut slots: Vec<u32> = record.holders.iter().flat_map(|lease| lease.slots.clone()).collect();
    slots.sort_unstable();
    slots.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn a_slot_that_two_leases_share_is_caught() {
        let report = story(
            "0 ask 1 by 1 limit=2
             0 ask 2 by 2 limit=2
             5 record hold=1/5/0/3005
             6 record hold=1/5/0/3005 hold=2/6/0/3006",
        );

        assert_eq!(report.broken(), [Invariant::ServerLimit]);
    }

    #[test]
    fn a_grant_beyond_a_lowered_limit_is_caught() {
        let report = story(
            "0 ask 1 by 1 limit=2
             0 ask 2 by 2 limit=2
             1 resize 1
             5 record limit=1 hold=1/5/0/3005
             6 record limit=1 hold=1/5/0/3005 hold=2/6/1/3006",
        );

        assert_eq!(report.broken(), [Invariant::ServerLimit]);
    }

    #[test]
    fn holders_that_were_there_before_the_limit_was_lowered_stay() {
        let report = story(
            "0 ask 1 by 1 limit=2
             0 ask 2 by 2 limit=2
             5 record hold=1/5/0/3005
             6 record hold=1/5/0/3005 hold=2/6/1/3006
             7 resize 1
             7 record limit=1 hold=1/5/0/3005 hold=2/6/1/3006",
        );

        assert_eq!(report.broken(), []);
    }
}
