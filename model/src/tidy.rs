//! Clears what no later step can look at, so that worlds that differ only there are one.

use crate::config::Config;
use crate::holder::{Holder, Phase};
use crate::world::World;

/// Clears it in the whole world.
pub(crate) fn tidy(world: &mut World, config: &Config) {
    for holder in world.holders.iter_mut().filter(|holder| holder.phase == Phase::Ended) {
        tidy_ended(holder);
    }
    tidy_holds(world, config);
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

/// A hold matters to whoever may be on record in its slot under a smaller token, now or later.
fn tidy_holds(world: &mut World, config: &Config) {
    if config.rule.overrules_wrongly() {
        return;
    }
    let all = world.holders;
    let somebody_may_ask = all.iter().filter(|holder| holder.has_asked()).count() < config.holders;
    for (who, holder) in world
        .holders
        .iter_mut()
        .enumerate()
        .filter(|(_, holder)| holder.holds > 0)
    {
        let mut rivals = rivals(&all, who).filter(|rival| rival.is_alive());
        let harms_newcomers = somebody_may_ask && holder.holds > 1;
        if !harms_newcomers && !rivals.any(|rival| rival.smallest_token() < holder.holds) {
            holder.holds = 0;
        }
    }
}

/// A vote with a token that no node is below raises nothing: which token it is, or was, matters only to holds.
fn tidy_tokens(world: &mut World, config: &Config) {
    if world.amnesias > 0 && !config.rule.has_guard() || config.rule.overrules_wrongly() {
        return;
    }
    let known = world.nodes.iter().map(|node| node.highest).min().unwrap_or(0);
    let all = world.holders;
    for (who, holder) in world.holders.iter_mut().enumerate() {
        let is_compared = config.overrules && holder.is_alive();
        let late = usize::from(holder.phase == Phase::Asking);
        let asked = holder.standings.iter_mut().map(|standing| &mut standing.asked);
        let tokens = holder.tokens[late..].iter_mut().chain(asked);
        for token in tokens.filter(|token| **token <= known) {
            *token = if is_compared {
                largest_hold(&all, who, *token)
            } else {
                0
            };
        }
    }
}

/// The largest token up to this one with which a rival overrules this holder, or yet may: holds to come under other tokens are
/// above all that every node knows.
fn largest_hold(all: &[Holder], who: usize, up_to: u8) -> u8 {
    let holds = rivals(all, who).map(|rival| if rival.has_won() { rival.token() } else { rival.holds });
    holds.filter(|hold| *hold <= up_to).max().unwrap_or(0)
}

/// The other holders that have asked for the slot of this one.
fn rivals(all: &[Holder], who: usize) -> impl Iterator<Item = &Holder> {
    let is_rival = move |rival: &Holder| rival.has_asked() && rival.slot == all[who].slot;
    let others = all.iter().enumerate().filter(move |(index, _)| *index != who);
    others.map(|(_, rival)| rival).filter(move |rival| is_rival(rival))
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
