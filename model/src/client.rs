//! What clients do by themselves.

use crate::event::Event;
use crate::holder::{Holder, Phase};
use crate::node::{MAJORITY, NODES};
use crate::rule::Rule;
use crate::standing::Answer;
use crate::step::Step;
use crate::world::World;

impl Step<'_> {
    /// Those that have not asked are all alike: the first of them asks.
    pub(crate) fn asks(&self, emit: &mut impl FnMut(Event, World)) {
        let idle = self.world.holders[..self.config.holders]
            .iter()
            .position(|holder| !holder.has_asked());
        let Some(who) = idle else { return };
        for slot in 0..self.config.rule.slots(self.config.limit) {
            for token in 1..=self.config.proposals {
                emit(
                    Event::Ask { who, slot, token },
                    self.change(who, |holder| {
                        holder.phase = Phase::Asking;
                        holder.slot = slot;
                        holder.tokens[0] = token;
                        holder.floor = self.world.largest_returned;
                    }),
                );
            }
        }
    }

    /// What a client does by itself.
    pub(crate) fn decisions(&self, who: usize, emit: &mut impl FnMut(Event, World)) {
        let holder = &self.world.holders[who];
        if holder.is_alive() {
            emit(Event::Stop { who }, self.change(who, Holder::end));
        }
        if holder.phase == Phase::Asking && holder.granted() >= MAJORITY {
            self.majorities(who, emit);
        }
        if holder.phase == Phase::Holding {
            self.refreshing(who, emit);
        }
    }

    /// A client that has a majority returns the grant or asks again. It may have heard of any two answers or of all.
    fn majorities(&self, who: usize, emit: &mut impl FnMut(Event, World)) {
        let holder = &self.world.holders[who];
        let below = holder
            .standings
            .iter()
            .filter(|standing| standing.answer == Answer::Below)
            .count();
        if below >= MAJORITY || self.config.rule == Rule::OnePhase {
            self.returns(who, holder.token(), emit);
        }
        for token in higher_tokens(holder) {
            if self.config.rule == Rule::NoConfirm {
                self.returns(who, token, emit);
            } else if holder.confirms < self.config.confirms && self.config.rule != Rule::OnePhase {
                emit(
                    Event::Confirm { who, token },
                    self.change(who, |holder| {
                        holder.confirms += 1;
                        holder.propose(token);
                        if self.config.rule == Rule::OverruleByConfirm {
                            holder.send_holds();
                        }
                    }),
                );
            }
        }
    }

    fn returns(&self, who: usize, token: u8, emit: &mut impl FnMut(Event, World)) {
        let mut after = self.change(who, |holder| {
            holder.phase = Phase::Holding;
            holder.returned = token;
            if self.config.overrules {
                holder.send_holds();
            }
            holder.floor = 0;
            self.rely_on_answers(holder);
        });
        after.largest_returned = after.largest_returned.max(token);
        if self.config.rule != Rule::Counting {
            after.raise_floors(self.world.holders[who].slot, token);
        }
        emit(Event::Return { who, token }, after);
    }

    fn refreshing(&self, who: usize, emit: &mut impl FnMut(Event, World)) {
        let holder = &self.world.holders[who];
        let is_out = holder.refreshes > holder.lease;
        if !is_out && holder.refreshes < self.config.refreshes {
            emit(
                Event::SendRefresh { who },
                self.change(who, |holder| {
                    holder.refreshes += 1;
                    holder.ask_backers_to_take_it_in();
                    holder.drop_answers();
                }),
            );
        }
        if is_out && holder.granted() >= MAJORITY {
            emit(
                Event::Renew { who },
                self.change(who, |holder| {
                    holder.lease = holder.refreshes;
                    self.rely_on_answers(holder);
                }),
            );
        }
    }

    /// Only where the next refresh tells of it, does it matter on whose answers a lease rests.
    fn rely_on_answers(&self, holder: &mut Holder) {
        if self.config.rule == Rule::TakeInBacked {
            holder.keep_backers();
        } else {
            holder.drop_answers();
        }
    }
}

/// What a holder may propose next: one above the highest that it has heard of, from a majority or from all.
fn higher_tokens(holder: &Holder) -> impl Iterator<Item = u8> {
    let answers = holder.standings.map(|standing| standing.answer);
    let is_highest_of_a_majority = move |highest: u8| {
        let heard = answers
            .iter()
            .filter(|answer| answer.granted() && answer.highest() <= highest);
        heard.count() >= MAJORITY
    };
    let mut tokens = answers.map(|answer| match answer {
        Answer::Above(highest) if is_highest_of_a_majority(highest) => highest + 1,
        _ => 0,
    });
    tokens.sort_unstable();
    let distinct = (0..NODES).filter(move |at| tokens[*at] > 0 && (*at == 0 || tokens[*at] != tokens[at - 1]));
    distinct.map(move |at| tokens[at])
}
