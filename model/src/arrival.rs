//! What messages do at a node, and which of its records its clock ends.

use crate::event::Event;
use crate::holder::{Holder, Phase, ROUNDS};
use crate::rule::Rule;
use crate::standing::{Answer, Standing};
use crate::step::Step;
use crate::world::World;

impl Step<'_> {
    /// What the network brings to a node of this holder, and what the node's clock ends.
    pub(crate) fn arrivals(&self, who: usize, node: usize, emit: &mut impl FnMut(Event, World)) {
        let holder = &self.world.holders[who];
        if !holder.has_asked() {
            return;
        }
        for age in 0..ROUNDS {
            if age <= usize::from(holder.confirms) || holder.tokens[age] > 0 {
                self.vote(who, node, age, emit);
            }
        }
        for lease in 1..=holder.refreshes {
            self.refresh(who, node, lease, emit);
        }
        self.hold(who, node, emit);
        let standing = holder.standings[node];
        if holder.phase == Phase::Ended && !standing.told && self.config.whole {
            emit(
                Event::Release { who, node },
                self.change_at(who, node, |standing| {
                    standing.end_record();
                    standing.told = true;
                }),
            );
        }
        if standing.recorded && self.may_expire(holder, standing) {
            emit(
                Event::Expire { who, node },
                self.change_at(who, node, Standing::end_record),
            );
        }
    }

    fn vote(&self, who: usize, node: usize, age: usize, emit: &mut impl FnMut(Event, World)) {
        if !self.grants(who, node) {
            return;
        }
        let mut after = *self.world;
        let holder = &mut after.holders[who];
        let token = holder.tokens[age];
        let previous = self.world.nodes[node].highest;
        after.nodes[node].highest = previous.max(token);
        let standing = &mut holder.standings[node];
        if !standing.recorded {
            standing.recorded = true;
            standing.lease = 0;
        }
        if self.config.overrules {
            standing.asked = standing.asked.max(token);
            standing.latest |= age == 0 && self.config.refreshes > 0;
        }
        let answers = holder.phase == Phase::Asking && age == 0;
        let answer = Answer::of(self.config.rule.is_above(token, previous), previous);
        let earlier = holder.standings[node].answer;
        let event = |heard| Event::Vote { who, node, age, heard };
        if answers && answer != earlier {
            let mut heard = after;
            heard.holders[who].standings[node].answer = answer;
            emit(event(true), heard);
        }
        if !answers || earlier.granted() {
            emit(event(false), after);
        }
    }

    /// Whether a node that gets a vote of this holder grants it.
    fn grants(&self, who: usize, node: usize) -> bool {
        if self.knows_of_release(who, node) || self.is_in_grace(node) {
            return false;
        }
        match self.config.rule {
            Rule::Counting => {
                let others = self.world.others_on_record(who, node).count();
                self.world.holders[who].standings[node].recorded || others < usize::from(self.config.limit)
            }
            _ => self.world.occupant(who, node).is_none(),
        }
    }

    pub(crate) fn knows_of_release(&self, who: usize, node: usize) -> bool {
        self.world.holders[who].standings[node].told && self.config.rule != Rule::NoTombstone
    }

    pub(crate) fn is_in_grace(&self, node: usize) -> bool {
        self.world.nodes[node].in_grace && self.config.rule != Rule::NoGrace
    }

    fn refresh(&self, who: usize, node: usize, lease: u8, emit: &mut impl FnMut(Event, World)) {
        let holder = &self.world.holders[who];
        let standing = holder.standings[node];
        let taken_in = !standing.recorded && self.takes_in(who, node);
        if !taken_in && !self.has_refreshable_record(standing) {
            return;
        }
        let mut after = *self.world;
        if taken_in {
            if let Some(older) = self.world.occupant(who, node) {
                after.holders[older].standings[node].end_record();
            }
            let standing = &mut after.holders[who].standings[node];
            standing.lease = 0;
            if self.config.overrules {
                standing.asked = holder.token();
                standing.latest = true;
            }
        }
        let standing = &mut after.holders[who].standings[node];
        standing.recorded = true;
        standing.lease = standing.lease.max(lease);
        if holder.phase == Phase::Holding && lease == holder.refreshes && lease > holder.lease {
            standing.answer = Answer::Below;
        }
        emit(Event::Refresh { who, node, lease }, after);
    }

    /// Whether the node has that on record which the refresh is for. Where nobody overrules, a record under an older token of
    /// its holder does too: that allows more than what the software does.
    fn has_refreshable_record(&self, standing: Standing) -> bool {
        let takes_any = !self.config.overrules || self.config.rule == Rule::RefreshOfAnyRecord;
        standing.recorded && (standing.latest || takes_any)
    }

    /// Whether a node in its grace takes in a lease that it has not on record.
    fn takes_in(&self, who: usize, node: usize) -> bool {
        let holder = &self.world.holders[who];
        let standing = holder.standings[node];
        let is_believed = match self.config.rule {
            Rule::TakeInAnybody => true,
            Rule::TakeInBacked => standing.backed,
            _ => standing.awaited > 0,
        };
        // Nobody else can have been granted the slot. An occupant is one that has ended, taken in late: its token is smaller.
        let occupant = self.world.occupant(who, node).map(|other| &self.world.holders[other]);
        let gives_way = occupant.is_none_or(|occupant| holder.is_alive() && !occupant.is_alive());
        self.is_in_grace(node) && !standing.told && is_believed && gives_way
    }

    fn may_expire(&self, holder: &Holder, standing: Standing) -> bool {
        holder.phase == Phase::Ended || standing.lease < holder.lease || self.config.rule == Rule::EarlyExpiry
    }
}
