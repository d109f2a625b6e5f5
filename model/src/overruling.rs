//! What comes of it when a node is told that a claim holds a slot which it has given to another one.

use crate::event::Event;
use crate::holder::{Holder, Phase};
use crate::rule::Rule;
use crate::standing::Answer;
use crate::step::Step;
use crate::world::World;

impl Step<'_> {
    /// A hold arrives. At a node that has nobody else in the slot it is nothing but a vote.
    pub(crate) fn hold(&self, who: usize, node: usize, emit: &mut impl FnMut(Event, World)) {
        let holder = &self.world.holders[who];
        let token = holder.holds;
        if token == 0 || self.knows_of_release(who, node) || self.is_in_grace(node) {
            return;
        }
        let Some(other) = self.world.occupant(who, node) else {
            return;
        };
        let has_asked_later = self.world.holders[other].standings[node].asked >= token;
        if has_asked_later && self.config.rule != Rule::OverruleAnybody {
            return;
        }
        let mut after = *self.world;
        let previous = self.world.nodes[node].highest;
        after.nodes[node].highest = previous.max(token);
        after.holders[other].standings[node].end_record();
        let standing = &mut after.holders[who].standings[node];
        standing.recorded = true;
        standing.lease = 0;
        standing.asked = token;
        standing.latest = self.config.refreshes > 0;
        if holder.phase == Phase::Asking {
            standing.answer = Answer::of(self.config.rule.is_above(token, previous), previous);
        }
        emit(Event::Overrule { who, node }, after);
    }
}

impl Holder {
    /// Begins to overrule others with what it proposed.
    pub(crate) fn send_holds(&mut self) {
        self.holds = self.token();
    }
}
