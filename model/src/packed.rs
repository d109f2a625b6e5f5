//! A world in a few words, the same for all worlds that differ only in who is called what.

use crate::holder::{Holder, Phase, ROUNDS};
use crate::node::{NODES, Node};
use crate::standing::{Answer, Standing};
use crate::world::{HOLDERS, World};

/// Every order of the nodes.
const ORDERS: [[usize; NODES]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// A word for the nodes, and one for each holder, the largest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Packed {
    common: u64,
    holders: [u128; HOLDERS],
}

impl Packed {
    /// The smallest of all that the world can be packed into by naming holders, nodes and slots otherwise.
    ///
    /// Nobody acts by its name, so what can happen in one of these worlds can happen in all.
    pub(crate) fn new(world: &World, limit: u8) -> Self {
        let common = ORDERS.map(|order| common_bits(world, order));
        let smallest = common.into_iter().min().expect("there is an order of the nodes");
        let standings = world.holders.map(|holder| holder.standings.map(standing_bits));
        let orders = ORDERS.iter().zip(common).filter(|(_, common)| *common == smallest);
        let packed = orders.flat_map(|(order, common)| {
            (0..limit).map(move |slot| {
                let mut holders = [0; HOLDERS];
                for (word, (holder, standings)) in holders.iter_mut().zip(world.holders.iter().zip(&standings)) {
                    *word = joined(
                        holder_bits(holder, slot).into(),
                        STANDING,
                        order.map(|node| standings[node]),
                    );
                }
                holders.sort_unstable_by(|a, b| b.cmp(a));
                Self { common, holders }
            })
        });
        packed.min().expect("there is an order of the nodes")
    }

    pub(crate) fn world(self) -> World {
        let mut common = Bits(self.common.into());
        let mut nodes = [Node::default(); NODES];
        for node in nodes.iter_mut().rev() {
            let mut bits = Bits(common.take(NODE).into());
            *node = Node {
                in_grace: bits.take(1) == 1,
                highest: bits.take(4) as u8,
            };
        }
        World {
            holders: self.holders.map(holder),
            nodes,
            largest_returned: common.take(4) as u8,
            amnesias: common.0 as u8,
        }
    }
}

/// How many bits a standing takes.
const STANDING: u32 = 16;

/// How many bits a node takes.
const NODE: u32 = 5;

fn joined(first: u128, width: u32, parts: [u64; NODES]) -> u128 {
    parts
        .into_iter()
        .fold(first, |bits, part| bits << width | u128::from(part))
}

fn common_bits(world: &World, order: [usize; NODES]) -> u64 {
    let first = u64::from(world.amnesias) << 4 | u64::from(world.largest_returned);
    let nodes = order.map(|node| node_bits(world.nodes[node]));
    nodes.into_iter().fold(first, |bits, node| bits << NODE | node)
}

fn node_bits(node: Node) -> u64 {
    u64::from(node.highest) << 1 | u64::from(node.in_grace)
}

fn standing_bits(standing: Standing) -> u64 {
    let bits = u64::from(standing.recorded) << 1 | u64::from(standing.told);
    let bits = bits << 2 | u64::from(standing.lease);
    let bits = bits << 2 | u64::from(standing.awaited);
    let bits = bits << 1 | u64::from(standing.backed);
    let bits = bits << 4 | u64::from(standing.asked);
    let bits = bits << 1 | u64::from(standing.latest);
    bits << 4 | standing.answer.to_bits()
}

/// All but the standings. Slots are renamed by adding one, unless nothing has been asked for.
fn holder_bits(holder: &Holder, slot: u8) -> u64 {
    let slot = if holder.has_asked() { holder.slot ^ slot } else { 0 };
    let bits = (holder.phase as u64) << 1 | u64::from(slot);
    let bits = bits << 2 | u64::from(holder.confirms);
    let bits = holder
        .tokens
        .iter()
        .fold(bits, |bits, token| bits << 4 | u64::from(*token));
    let bits = bits << 4 | u64::from(holder.returned);
    let bits = bits << 4 | u64::from(holder.holds);
    let bits = bits << 4 | u64::from(holder.floor);
    let bits = bits << 2 | u64::from(holder.lease);
    bits << 2 | u64::from(holder.refreshes)
}

fn standing(bits: u64) -> Standing {
    let mut bits = Bits(bits.into());
    Standing {
        answer: Answer::from_bits(bits.take(4)),
        latest: bits.take(1) == 1,
        asked: bits.take(4) as u8,
        backed: bits.take(1) == 1,
        awaited: bits.take(2) as u8,
        lease: bits.take(2) as u8,
        told: bits.take(1) == 1,
        recorded: bits.take(1) == 1,
    }
}

fn holder(bits: u128) -> Holder {
    let mut bits = Bits(bits);
    let mut standings = [Standing::default(); NODES];
    for place in standings.iter_mut().rev() {
        *place = standing(bits.take(STANDING));
    }
    let mut unpacked = Holder {
        standings,
        refreshes: bits.take(2) as u8,
        lease: bits.take(2) as u8,
        floor: bits.take(4) as u8,
        holds: bits.take(4) as u8,
        returned: bits.take(4) as u8,
        ..Holder::default()
    };
    for round in (0..ROUNDS).rev() {
        unpacked.tokens[round] = bits.take(4) as u8;
    }
    unpacked.confirms = bits.take(2) as u8;
    unpacked.slot = bits.take(1) as u8;
    unpacked.phase = phase(bits.0);
    unpacked
}

fn phase(bits: u128) -> Phase {
    [Phase::Idle, Phase::Asking, Phase::Holding, Phase::Ended][bits as usize]
}

/// Reads from the lowest bit.
struct Bits(u128);

impl Bits {
    fn take(&mut self, width: u32) -> u64 {
        let taken = self.0 as u64 & ((1 << width) - 1);
        self.0 >>= width;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::step;

    #[test]
    fn a_world_that_is_packed_and_unpacked_packs_into_the_same() {
        let config = Config {
            amnesias: 1,
            refreshes: 1,
            ..Config::new(2)
        };
        let mut worlds = vec![World::new(&config)];
        for _ in 0..5 {
            let mut next = Vec::new();
            worlds
                .iter()
                .for_each(|world| step::for_each(world, &config, |_, after| next.push(after)));
            for world in &next {
                let packed = Packed::new(world, 2);
                assert_eq!(Packed::new(&packed.world(), 2), packed);
            }
            worlds = next.into_iter().step_by(7).collect();
        }
    }
}
