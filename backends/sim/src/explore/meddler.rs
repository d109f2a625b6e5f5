//! Decides about the messages of a run by the rules that are in force.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fault::Verb;
use crate::network::{Direction, Faults, Link, Message, Verdict};
use crate::random::draw;
use crate::sync::lock;

/// The rules that are in force; clones share them.
#[derive(Debug, Clone)]
pub(super) struct Meddler {
    seed: u64,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    rules: Vec<Rule>,
    noise: Option<u64>,
}

/// What becomes of the next messages of one connection, one way.
#[derive(Debug)]
pub(super) struct Rule {
    client: u32,
    link: Link,
    direction: Direction,
    left: u64,
    verdict: Verdict,
}

impl Rule {
    /// The rule of a fault about single messages.
    ///
    /// # Panics
    ///
    /// For any other fault.
    pub(super) fn of(client: u32, verb: &Verb) -> Self {
        let (link, direction, left, verdict) = match *verb {
            Verb::Drop {
                link, direction, count, ..
            } => (link, direction, count, Verdict::Drop),
            Verb::Duplicate {
                link,
                direction,
                count,
                after,
                ..
            } => (link, direction, count, Verdict::Duplicate(after)),
            Verb::Delay {
                link,
                direction,
                count,
                by,
                ..
            } => (link, direction, count, Verdict::Delay(by)),
            _ => unreachable!("only these faults are about single messages"),
        };
        Self {
            client,
            link,
            direction,
            left,
            verdict,
        }
    }

    fn concerns(&self, message: &Message) -> bool {
        let of_rule = (self.client, self.link, self.direction);
        self.left > 0 && of_rule == (message.client, message.link, message.direction)
    }
}

impl Meddler {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            state: Arc::default(),
        }
    }

    pub(super) fn add(&self, rule: Rule) {
        lock(&self.state).rules.push(rule);
    }

    /// Ends the rules about a client.
    pub(super) fn clear(&self, client: u32) {
        lock(&self.state).rules.retain(|rule| rule.client != client);
    }

    pub(super) fn set_noise(&self, one_in: Option<u64>) {
        lock(&self.state).noise = one_in;
    }

    fn noise(&self, one_in: u64, message: &Message) -> Verdict {
        let path = [
            u64::from(message.client),
            message.link as u64,
            message.direction as u64,
            message.number,
        ];
        let bits = draw(self.seed ^ 0x0153, &path);
        if !bits.is_multiple_of(one_in) {
            return Verdict::Deliver;
        }
        let later = Duration::from_millis(1 + (bits >> 32) % 1_000);
        match (bits >> 20) % 3 {
            0 => Verdict::Drop,
            1 => Verdict::Duplicate(later),
            _ => Verdict::Delay(later),
        }
    }
}

impl Faults for Meddler {
    fn judge(&mut self, message: &Message) -> Verdict {
        let mut state = lock(&self.state);
        if let Some(rule) = state.rules.iter_mut().find(|rule| rule.concerns(message)) {
            rule.left -= 1;
            return rule.verdict;
        }
        match state.noise {
            Some(one_in) => self.noise(one_in, message),
            None => Verdict::Deliver,
        }
    }
}
