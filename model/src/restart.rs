//! What befalls a node as a whole.

use crate::event::Event;
use crate::holder::{Holder, Phase};
use crate::rule::Rule;
use crate::step::Step;
use crate::world::World;

impl Step<'_> {
    /// The node forgets everything, or is through with its grace.
    pub(crate) fn restarts(&self, node: usize, emit: &mut impl FnMut(Event, World)) {
        if self.world.amnesias > 0 {
            let highest = self.highest_after_a_restart(node);
            for highest in highest.into_iter().flatten() {
                emit(Event::Forget { node }, self.forget(node, highest));
            }
        }
        if self.grace_may_end(node) {
            let mut after = *self.world;
            after.nodes[node].in_grace = false;
            for holder in &mut after.holders {
                holder.standings[node].awaited = 0;
            }
            emit(Event::GraceEnds { node }, after);
        }
    }

    /// Whether every lease that counted on the node's record when it restarted is over.
    fn grace_may_end(&self, node: usize) -> bool {
        let ignores_asking = self.config.rule == Rule::GraceOfGrants;
        let holds_it_up = |holder: &Holder| {
            let is_waited_for = holder.phase == Phase::Holding || (holder.is_alive() && !ignores_asking);
            is_waited_for && holder.standings[node].awaited > holder.lease
        };
        self.world.nodes[node].in_grace && !self.world.holders.iter().any(holds_it_up)
    }

    /// The guard has to be at least what the node has forgotten. How much more it is depends on clocks.
    fn highest_after_a_restart(&self, node: usize) -> [Option<u8>; 2] {
        let forgotten = self.world.nodes[node].highest;
        let proposed = self.world.largest_proposed();
        match self.config.rule {
            Rule::NoGuard => [Some(0), None],
            Rule::GuardOfGrants => [Some(self.world.largest_returned), None],
            _ => [Some(forgotten), (proposed > forgotten).then_some(proposed)],
        }
    }

    fn forget(&self, node: usize, highest: u8) -> World {
        let mut after = *self.world;
        after.amnesias -= 1;
        after.nodes[node].in_grace = self.config.rule != Rule::NoGrace;
        after.nodes[node].highest = highest;
        for holder in &mut after.holders {
            let standing = &mut holder.standings[node];
            if standing.recorded {
                standing.awaited = standing.awaited.max(standing.lease + 1);
            }
            standing.end_record();
            standing.told = false;
            standing.lease = 0;
        }
        after
    }
}
