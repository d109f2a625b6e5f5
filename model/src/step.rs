//! Which events can happen in a world, and what each does.

use crate::config::Config;
use crate::event::Event;
use crate::holder::Holder;
use crate::node::NODES;
use crate::standing::Standing;
use crate::tidy::tidy;
use crate::world::{HOLDERS, World};

/// Calls back with everything that can happen and the world after it.
pub(crate) fn for_each(world: &World, config: &Config, mut then: impl FnMut(Event, World)) {
    let step = Step { world, config };
    let mut emit = |event, mut after: World| {
        if !config.whole {
            tidy(&mut after, config);
        }
        then(event, after);
    };
    step.asks(&mut emit);
    for who in 0..HOLDERS {
        step.decisions(who, &mut emit);
        for node in 0..NODES {
            step.arrivals(who, node, &mut emit);
        }
    }
    for node in 0..NODES {
        step.restarts(node, &mut emit);
    }
}

/// A world and the rule that it follows.
#[derive(Debug)]
pub(crate) struct Step<'a> {
    pub(crate) world: &'a World,
    pub(crate) config: &'a Config,
}

impl Step<'_> {
    /// The world after a change of one holder.
    pub(crate) fn change(&self, who: usize, change: impl FnOnce(&mut Holder)) -> World {
        let mut after = *self.world;
        change(&mut after.holders[who]);
        after
    }

    /// The world after a change of how a holder stands with a node.
    pub(crate) fn change_at(&self, who: usize, node: usize, change: impl FnOnce(&mut Standing)) -> World {
        self.change(who, |holder| change(&mut holder.standings[node]))
    }
}
