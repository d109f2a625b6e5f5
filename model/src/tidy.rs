//! Clears what no later step can look at, so that worlds that differ only there are one.

use crate::config::Config;
use crate::holder::{Holder, Phase};
use crate::world::World;

/// Clears it in the whole world.
pub(crate) fn tidy(world: &mut World, config: &Config) {
    for holder in world.holders.iter_mut().filter(|holder| holder.phase == Phase::Ended) {
        tidy_ended(holder);
    }
    tidy_tokens(world, config);
    tidy_returned(world);
}

/// Its records stand in the way of others at most, and may expire at once. Its late votes still raise highest tokens.
fn tidy_ended(holder: &mut Holder) {
    holder.confirms = 0;
    holder.lease = 0;
    holder.refreshes = 0;
    holder.standings = Default::default();
    holder.tokens.sort_unstable_by(|a, b| b.cmp(a));
}

/// A vote with a token that no node is below raises nothing: which token it is does not matter.
fn tidy_tokens(world: &mut World, config: &Config) {
    if world.amnesias > 0 && !config.rule.has_guard() {
        return;
    }
    let known = world.nodes.iter().map(|node| node.highest).min().unwrap_or(0);
    for holder in &mut world.holders {
        let late = usize::from(holder.phase == Phase::Asking);
        for token in holder.tokens[late..].iter_mut().filter(|token| **token <= known) {
            *token = 0;
        }
    }
}

/// A token that returned matters only to who asks and may still return that one or, in its slot, a smaller one.
fn tidy_returned(world: &mut World) {
    let asking = world.holders.iter_mut().filter(|holder| holder.phase == Phase::Asking);
    for holder in asking {
        if holder.floor < holder.token() {
            holder.floor = 0;
        }
    }
    let holders = world.holders;
    let asking = holders.iter().filter(|holder| holder.phase == Phase::Asking);
    for holder in &mut world.holders {
        let returned = holder.returned;
        let matters = |asking: &Holder| asking.floor < returned && asking.token() <= returned;
        if !asking.clone().any(matters) {
            holder.returned = 0;
        }
    }
}
