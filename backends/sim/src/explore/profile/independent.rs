//! What befalls independent servers, of which a majority decides.

use std::time::Duration;

use super::super::fault::{Fault, Verb};
use super::{Dice, FIRST, LAST};
use crate::random::draw;

/// Whether the independent servers of a run have been there for long, and their clocks are far apart.
pub(in crate::explore) fn is_aged(seed: u64) -> bool {
    draw(seed, &[0xa9ed]).is_multiple_of(4)
}

fn forgets_its_generation(verb: &Verb) -> bool {
    matches!(verb, Verb::Crash { .. } | Verb::FlushAll | Verb::Restart { .. })
}

impl Dice {
    /// Several clients are each cut off from a server, or several servers forget everything, one soon after the other, or many
    /// messages are lost, repeated and late; and whatever else befalls them.
    pub(super) fn quorum(&self, count: u64) -> Vec<Fault> {
        let start = self.time(30, 0, FIRST / 2, LAST / 4);
        let soon_after = |number, verb| {
            let at = start + self.time(number, 1, 0, 1_500);
            Fault { at, verb }
        };
        // Where clocks are far apart servers forget once, and nowhere soon after a restart: clocks have to catch up before.
        let kind = if self.is_aged() {
            self.pick(30, 1, 2, 3)
        } else {
            self.pick(30, 1, 0, 4)
        };
        let mut faults: Vec<Fault> = match kind {
            // What befalls one server befalls another soon after: where it is cut off from, and what forgets, differs.
            0 => (31..34 + count)
                .map(|number| {
                    let (client, length) = (self.client(30), self.time(number, 3, 3_000, 7_000));
                    soon_after(number, Verb::Partition { client, length })
                })
                .collect(),
            1 => (31..34 + count)
                .map(|number| {
                    let (client, length) = (self.client(number), self.time(number, 3, 300, 6_000));
                    soon_after(number, Verb::Partition { client, length })
                })
                .collect(),
            2 => (31..33 + count)
                .map(|number| {
                    let length = self.time(number, 3, 50, 600);
                    let verb = match self.pick(number, 4, 0, 3) {
                        0 => Verb::FlushAll,
                        _ => Verb::Restart { length },
                    };
                    soon_after(number, verb)
                })
                .collect(),
            3 => self.all_that_knows(start),
            _ => vec![soon_after(
                31,
                Verb::Noise {
                    one_in: self.pick(31, 4, 3, 12),
                    length: self.time(31, 3, 2_000, 9_000),
                },
            )],
        };
        let others = (1..=count).map(|number| self.early(number, self.of_several(number)));
        faults.extend(others.filter(|fault| !matches!(kind, 2 | 3) || !forgets_its_generation(&fault.verb)));
        faults
    }

    fn is_aged(&self) -> bool {
        is_aged(self.seed)
    }

    /// Every client dies, and while none is there servers forget.
    fn all_that_knows(&self, start: Duration) -> Vec<Fault> {
        let kills = (1..=self.clients).map(|client| Fault {
            at: start + self.time(60 + u64::from(client), 0, 0, 200),
            verb: Verb::Kill { client },
        });
        let losses = (31..36).map(|number| Fault {
            at: start + self.time(number, 1, 200, 700),
            verb: Verb::Restart {
                length: self.time(number, 3, 50, 300),
            },
        });
        kills.chain(losses).collect()
    }

    /// What befalls independent servers and their clients.
    fn of_several(&self, fault: u64) -> Verb {
        let length = self.time(fault, 3, 100, 4_000);
        // Not both: tokens after a restart are seconds ahead of what a server can tell that has forgotten even that.
        let forgets = self.pick(30, 2, 0, 1) == 0;
        match self.pick(fault, 60, 0, 9) {
            0..=2 if forgets => Verb::Restart { length },
            0..=2 => Verb::Crash { length },
            3 if forgets => Verb::FlushAll,
            3 | 4 => Verb::Freeze { length },
            5 => Verb::Partition {
                client: self.client(fault),
                length,
            },
            6 => self.process(fault),
            7 => self.clock(fault),
            8 => self.operator(fault),
            _ => self.network(fault),
        }
    }

    fn early(&self, fault: u64, verb: Verb) -> Fault {
        let at = self.time(fault, 100, FIRST / 2, LAST * 3 / 10);
        Fault { at, verb }
    }
}
