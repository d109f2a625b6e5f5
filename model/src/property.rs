//! What must hold in every world.

use std::fmt;

use crate::config::Config;
use crate::event::Event;
use crate::holder::{Holder, Phase};
use crate::rule::Rule;
use crate::world::World;

/// Something that must never be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Property {
    /// Never do more clients believe that they hold than the limit says.
    Limit,
    /// Never do two clients believe that they hold one slot.
    Exclusion,
    /// A grant has a larger token than every grant that had returned when it was requested, and than every grant of its slot
    /// that returned before it.
    Order,
    /// No two grants of a name have the same token.
    Uniqueness,
    /// A node that was told of a release, and has not forgotten it, never has that holder on record again.
    Tombstone,
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Limit => "more clients believe that they hold than the limit says",
            Self::Exclusion => "two clients believe that they hold one slot",
            Self::Order => "a grant has no larger token than one before it",
            Self::Uniqueness => "two grants have the same token",
            Self::Tombstone => "a node has a holder on record of whose release it was told",
        })
    }
}

/// The property that an event has broken, if it has broken one.
pub(crate) fn broken(config: &Config, event: &Event, before: &World, after: &World) -> Option<Property> {
    match *event {
        Event::Return { who, token } => broken_by_return(config, before, &before.holders[who], token),
        Event::Vote { who, node, .. } | Event::Refresh { who, node, .. } | Event::Overrule { who, node } => {
            let standing = after.holders[who].standings[node];
            (standing.recorded && standing.told).then_some(Property::Tombstone)
        }
        _ => None,
    }
}

/// Only a grant that returns can break these: nobody begins to believe or gets a token otherwise.
fn broken_by_return(config: &Config, before: &World, new: &Holder, token: u8) -> Option<Property> {
    let has_slots = config.rule != Rule::Counting;
    let believing = before.holders.iter().filter(|holder| holder.phase == Phase::Holding);
    let in_slot = |holder: &&Holder| has_slots && holder.slot == new.slot;
    if has_slots && believing.clone().any(|holder| in_slot(&holder)) {
        return Some(Property::Exclusion);
    }
    if believing.count() >= usize::from(config.limit) {
        return Some(Property::Limit);
    }
    if token <= new.floor {
        return Some(Property::Order);
    }
    let repeats = before.holders.iter().any(|holder| holder.returned == token);
    repeats.then_some(Property::Uniqueness)
}
