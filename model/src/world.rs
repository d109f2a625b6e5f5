//! Everything there is at one moment.

use crate::config::Config;
use crate::holder::{Holder, Phase};
use crate::node::{NODES, Node};

/// The most holders that a configuration can have.
pub(crate) const HOLDERS: usize = 4;

/// All holders and nodes. Messages need no place: see the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct World {
    pub(crate) holders: [Holder; HOLDERS],
    pub(crate) nodes: [Node; NODES],
    /// The largest token with which any grant has returned.
    pub(crate) largest_returned: u8,
    /// How many restarts without memory may still happen.
    pub(crate) amnesias: u8,
}

impl World {
    /// Nobody has asked for anything.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            holders: Default::default(),
            nodes: Default::default(),
            largest_returned: 0,
            amnesias: config.amnesias,
        }
    }

    /// The largest token that anybody has proposed.
    pub(crate) fn largest_proposed(&self) -> u8 {
        let proposed = self.holders.iter().flat_map(|holder| holder.tokens);
        let heard_of = self.nodes.iter().map(|node| node.highest);
        proposed.chain(heard_of).max().unwrap_or(0)
    }

    /// Whoever asks for a slot has to get a larger token than the grant that has just returned.
    pub(crate) fn raise_floors(&mut self, slot: u8, token: u8) {
        let asking = self
            .holders
            .iter_mut()
            .filter(|holder| holder.phase == Phase::Asking && holder.slot == slot);
        asking.for_each(|holder| holder.floor = holder.floor.max(token));
    }

    /// The other holders that the node has on record.
    pub(crate) fn others_on_record(&self, who: usize, node: usize) -> impl Iterator<Item = &Holder> {
        let others = self.holders.iter().enumerate().filter(move |(index, _)| *index != who);
        others
            .map(|(_, holder)| holder)
            .filter(move |holder| holder.standings[node].recorded)
    }

    /// Who else the node has on record in the slot of this holder.
    pub(crate) fn occupant(&self, who: usize, node: usize) -> Option<usize> {
        let slot = self.holders[who].slot;
        let has_it = |holder: &Holder| holder.slot == slot && holder.standings[node].recorded;
        (0..HOLDERS).find(|other| *other != who && has_it(&self.holders[*other]))
    }
}
