//! Kinds of runs: which faults occur together.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::fault::{Fault, Part, Refusal, Verb};
use super::names::{name_of, named, values};
use crate::network::{Direction, Link};
use crate::random::draw;

mod independent;

pub(super) use independent::is_aged;

/// A kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Profile {
    /// Nothing goes wrong.
    Calm,
    /// Clocks drift within the allowance, and wall clocks jump.
    Clocks,
    /// The master fails once, and a replica that has missed the latest writes is promoted.
    Failover,
    /// Everything but what makes two masters.
    Everything,
    /// Long holders are cut off while clocks drift and answers are slow, as far as that is allowed, and their leases end;
    /// or for so short that they must not.
    Lapses,
    /// Keys are evicted, data is deleted, the server restarts empty or with older data.
    Memory,
    /// Messages are lost, late, repeated, and arrive when nobody waits for them any more.
    Network,
    /// Operators take permits and change the limit.
    Operators,
    /// Processes pause and die, machines are suspended.
    Processes,
    /// A majority of three or five independent servers decides, which stand still, restart with their data, older data or none, and
    /// are cut off from some clients, several at once: faults of the other kinds, the limit is changed on all. What befalls a
    /// server befalls the one that the seed and its time choose, and so do three of four partitions. Not drawn by a seed
    /// where no kind is chosen.
    Quorum,
    /// The server stands still, restarts with its data, or refuses.
    Server,
    /// The master fails, and the clocks of the servers are seconds apart; or its clock goes back, and it starts again.
    Skew,
    /// The master is cut off together with some clients, or stands still, and both sides have a master.
    Split,
    /// The server's clock is stepped, at times while a lease ends that nobody can keep.
    Steps,
    /// Two failovers in a row.
    Twice,
}

const NAMES: [(&str, Profile); 15] = [
    ("calm", Profile::Calm),
    ("clocks", Profile::Clocks),
    ("everything", Profile::Everything),
    ("failover", Profile::Failover),
    ("lapses", Profile::Lapses),
    ("memory", Profile::Memory),
    ("network", Profile::Network),
    ("operators", Profile::Operators),
    ("processes", Profile::Processes),
    ("quorum", Profile::Quorum),
    ("server", Profile::Server),
    ("skew", Profile::Skew),
    ("split", Profile::Split),
    ("steps", Profile::Steps),
    ("twice", Profile::Twice),
];

/// Faults begin within this time.
const FIRST: u64 = 2_000;
const LAST: u64 = 40_000;

impl Profile {
    /// All kinds, in the order of their names.
    pub const ALL: [Self; 15] = values(&NAMES);

    /// The kind that belongs to a seed where none is chosen.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        // Kinds that came later are drawn apart, so that most seeds stay what they were.
        match draw(seed, &[0x9f0, 1]) % 14 {
            0 => return Self::Lapses,
            1 => return Self::Skew,
            _ => {}
        }
        let mut first = Self::ALL
            .into_iter()
            .filter(|kind| !matches!(kind, Self::Lapses | Self::Quorum | Self::Skew));
        let chosen = usize::try_from(draw(seed, &[0x9f0]) % 12).expect("kinds are few");
        first.nth(chosen).expect("there were twelve kinds at first")
    }

    /// Whether servers are replaced, or lose what they had.
    pub(super) fn forgets(self) -> bool {
        self.needs_replicas() || matches!(self, Self::Everything | Self::Memory | Self::Quorum | Self::Server)
    }

    pub(super) fn needs_replicas(self) -> bool {
        matches!(self, Self::Failover | Self::Skew | Self::Split | Self::Twice)
    }

    /// When the last work begins, unless a plan was shrunk. Many servers take long.
    pub(super) fn until(self) -> Duration {
        Duration::from_secs(if self == Self::Quorum { 16 } else { 50 })
    }

    /// In one of how many runs lease time is stepless.
    pub(super) fn one_stepless_in(self) -> u64 {
        match self {
            Self::Steps => 2,
            Self::Skew => 4,
            _ => 8,
        }
    }

    /// What befalls the clients and servers of a run.
    pub(super) fn faults(self, seed: u64, clients: u32) -> Vec<Fault> {
        let dice = Dice { seed, clients };
        let count = dice.pick(0, 0, 1, 6);
        let mut faults: Vec<Fault> = match self {
            Self::Calm => Vec::new(),
            Self::Failover => vec![dice.at(1, dice.failover(1))],
            Self::Twice => dice.twice(),
            Self::Split => vec![dice.at(1, dice.split(1))],
            Self::Steps => (1..=count.min(3)).flat_map(|number| dice.stepped(number)).collect(),
            Self::Lapses => (1..=count.min(4)).flat_map(|number| dice.lapse(number)).collect(),
            Self::Skew => dice.skew(),
            Self::Clocks => (1..=count + 2)
                .map(|number| dice.at(number, dice.clock(number)))
                .collect(),
            Self::Memory => (1..=count.min(4))
                .map(|number| dice.at(number, dice.memory(number)))
                .collect(),
            Self::Network => (1..=count + 2)
                .map(|number| dice.at(number, dice.network(number)))
                .collect(),
            Self::Operators => (1..=count + 2)
                .map(|number| dice.at(number, dice.operator(number)))
                .collect(),
            Self::Processes => (1..=count)
                .map(|number| dice.at(number, dice.process(number)))
                .collect(),
            Self::Server => (1..=count.min(4))
                .map(|number| dice.at(number, dice.server(number)))
                .collect(),
            Self::Quorum => dice.quorum(count),
            Self::Everything => (1..=count + 4)
                .map(|number| dice.at(number, dice.any(number)))
                .collect(),
        };
        if matches!(self, Self::Failover | Self::Split | Self::Twice) {
            let noise = dice.pick(0, 1, 0, 3);
            faults.extend((10..10 + noise).map(|number| dice.at(number, dice.beside(number))));
        }
        let mut faults: Vec<Fault> = (200..)
            .zip(faults)
            .map(|(number, fault)| dice.revert(number, fault))
            .collect();
        faults.sort_by_key(|fault| fault.at);
        faults
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(name_of(&NAMES, self))
    }
}

impl FromStr for Profile {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        named(&NAMES, text).map_err(|known| format!("there is no profile {text}, only {known}"))
    }
}

/// Draws the parts of faults; each part of each fault has a number of its own, so that none depends on another.
struct Dice {
    seed: u64,
    clients: u32,
}

impl Dice {
    fn pick(&self, fault: u64, part: u64, low: u64, high: u64) -> u64 {
        low + draw(self.seed, &[0xfa17, fault, part]) % (high - low + 1)
    }

    fn time(&self, fault: u64, part: u64, low: u64, high: u64) -> Duration {
        Duration::from_millis(self.pick(fault, part, low, high))
    }

    fn at(&self, fault: u64, verb: Verb) -> Fault {
        let at = self.time(fault, 100, FIRST, LAST);
        Fault { at, verb }
    }

    fn client(&self, fault: u64) -> u32 {
        u32::try_from(self.pick(fault, 101, 1, u64::from(self.clients))).expect("clients are few")
    }

    fn link(&self, fault: u64) -> Link {
        Link::ALL[self.pick(fault, 102, 0, 2) as usize]
    }

    fn direction(&self, fault: u64) -> Direction {
        [Direction::Request, Direction::Reply][self.pick(fault, 103, 0, 1) as usize]
    }

    fn network(&self, fault: u64) -> Verb {
        let (client, link, direction) = (self.client(fault), self.link(fault), self.direction(fault));
        let (count, short) = (self.pick(fault, 1, 1, 4), self.time(fault, 2, 5, 1_500));
        let length = self.time(fault, 3, 200, 6_000);
        match self.pick(fault, 0, 0, 7) {
            0 => Verb::Partition { client, length },
            1 => Verb::Cut {
                client,
                link,
                direction,
                length,
            },
            2 => Verb::Hold {
                client,
                link,
                direction,
                length,
            },
            3 => Verb::Duplicate {
                client,
                link,
                direction,
                count,
                after: short,
            },
            4 => Verb::Delay {
                client,
                link,
                direction,
                count,
                by: short,
            },
            5 => Verb::Noise {
                one_in: self.pick(fault, 4, 4, 40),
                length,
            },
            _ => Verb::Drop {
                client,
                link,
                direction,
                count,
            },
        }
    }

    fn process(&self, fault: u64) -> Verb {
        let client = self.client(fault);
        let length = self.time(fault, 3, 50, 7_000);
        match self.pick(fault, 0, 0, 3) {
            0 => Verb::Kill { client },
            1 => {
                let other = u32::try_from(self.pick(fault, 4, 1, u64::from(self.clients))).expect("clients are few");
                Verb::Suspend {
                    first: client.min(other),
                    last: client.max(other),
                    length,
                }
            }
            _ => Verb::Pause { client, length },
        }
    }

    fn clock(&self, fault: u64) -> Verb {
        let client = self.client(fault);
        let length = self.time(fault, 3, 2_000, 20_000);
        // Two clocks that drift apart by 1 % at the most: the documented allowance.
        let ppm = i32::try_from(self.pick(fault, 4, 0, 9_000)).expect("rates are small") - 4_500;
        let period = self.time(fault, 5, 200, 4_000);
        let by_ms = i64::try_from(self.pick(fault, 6, 0, 7_200_000)).expect("steps are small") - 3_600_000;
        match self.pick(fault, 0, 0, 5) {
            0 => Verb::StepWall { client, by_ms },
            1 => Verb::Wobble {
                client,
                ppm,
                period,
                length,
            },
            2 => Verb::DriftClock { server: 0, ppm, length },
            3 => Verb::WobbleClock {
                server: 0,
                ppm,
                period,
                length,
            },
            4 => self.network(fault),
            _ => Verb::Drift { client, ppm, length },
        }
    }

    fn server(&self, fault: u64) -> Verb {
        let length = self.time(fault, 3, 100, 5_000);
        match self.pick(fault, 0, 0, 5) {
            0 => Verb::Crash { length },
            1 => Verb::FlushScripts,
            2 => Verb::Freeze { length },
            3 => self.network(fault),
            _ => {
                let how = [
                    Refusal::Loading,
                    Refusal::Memory,
                    Refusal::Misconfigured,
                    Refusal::Rights,
                ];
                let how = how[self.pick(fault, 4, 0, 3) as usize];
                Verb::Refuse { how, length }
            }
        }
    }

    fn memory(&self, fault: u64) -> Verb {
        let parts = [
            Part::Free,
            Part::Generation,
            Part::Inboxes,
            Part::Leases,
            Part::Queue,
            Part::State,
        ];
        match self.pick(fault, 0, 0, 4) {
            0 => Verb::FlushAll,
            1 => Verb::Restart {
                length: self.time(fault, 3, 50, 3_000),
            },
            2 => self.network(fault),
            _ => Verb::Evict {
                part: parts[self.pick(fault, 4, 0, 5) as usize],
            },
        }
    }

    /// One in three servers that restart without their data have an older one instead. A die of its own, so that all else
    /// that is drawn stays what it was.
    fn revert(&self, number: u64, fault: Fault) -> Fault {
        match fault.verb {
            Verb::Restart { length } if self.pick(number, 0, 0, 2) == 0 => {
                let at_ms = u64::try_from(fault.at.as_millis()).expect("a run is short");
                let age = self.time(number, 1, 100, (at_ms / 2).clamp(100, 5_000)).min(fault.at);
                Fault {
                    at: fault.at - age,
                    verb: Verb::Revert { age, length },
                }
            }
            _ => fault,
        }
    }

    fn operator(&self, fault: u64) -> Verb {
        match self.pick(fault, 0, 0, 3) {
            0 => Verb::Resize {
                limit: u32::try_from(self.pick(fault, 1, 1, 5)).expect("limits are small"),
                length: self.time(fault, 3, 500, 8_000),
            },
            1 => self.network(fault),
            _ => Verb::Force,
        }
    }

    fn step(&self, fault: u64) -> Verb {
        let sizes = [300, 2_000, 30_000, 3_600_000];
        let by = sizes[self.pick(fault, 1, 0, 3) as usize];
        let sign = if self.pick(fault, 2, 0, 1) == 0 { 1 } else { -1 };
        Verb::StepClock {
            server: 0,
            by_ms: by * sign,
        }
    }

    /// A step of the clock, and at times a client that can keep no lease from shortly before on.
    fn stepped(&self, fault: u64) -> Vec<Fault> {
        let step = self.at(fault, self.step(fault));
        let (client, length) = (self.client(fault), self.time(fault, 80, 1_500, 6_000));
        let verb = match self.pick(fault, 81, 0, 3) {
            0 => Verb::Kill { client },
            1 => Verb::Partition { client, length },
            2 => Verb::Pause { client, length },
            _ => return vec![step],
        };
        let at = step.at.saturating_sub(self.time(fault, 82, 0, 2_000));
        vec![Fault { at, verb }, step]
    }

    fn failover(&self, fault: u64) -> Verb {
        let lost = if self.pick(fault, 1, 0, 3) == 0 {
            Duration::ZERO
        } else {
            self.time(fault, 2, 20, 2_500)
        };
        Verb::Failover {
            lost,
            detected: self.time(fault, 3, 300, 3_000),
        }
    }

    fn twice(&self) -> Vec<Fault> {
        let first = self.at(1, self.failover(1));
        let second = first.at + self.time(2, 4, 4_000, 9_000);
        let second = Fault {
            at: second,
            verb: self.failover(2),
        };
        vec![first, second]
    }

    /// Answers of one client come late, then none: what it holds ends by its own clock, which is slow, and soon after by
    /// the server's, which is fast. Or it is cut off for so short that nothing may end.
    fn lapse(&self, fault: u64) -> Vec<Fault> {
        let client = self.client(fault);
        if self.pick(fault, 76, 0, 1) == 0 {
            let length = self.time(fault, 77, 150, 900);
            return vec![self.at(fault, Verb::Partition { client, length })];
        }
        let start = self.time(fault, 100, FIRST, LAST);
        let cut = start + self.time(fault, 70, 200, 1_900);
        let length = self.time(fault, 71, 1_500, 6_000);
        let late = |link, part| Verb::Delay {
            client,
            link,
            direction: Direction::Reply,
            count: 200,
            by: self.time(fault, part, 5, 180),
        };
        let drift = i32::try_from(self.pick(fault, 74, 0, 4_500)).expect("rates are small");
        let drifting = cut - start + length;
        // Or what it sends to keep its leases comes when they have ended.
        let silence = match self.pick(fault, 78, 0, 3) {
            0 => Verb::Hold {
                client,
                link: Link::Keeper,
                direction: Direction::Request,
                length,
            },
            _ => Verb::Partition { client, length },
        };
        let mut faults = vec![
            Fault {
                at: start,
                verb: late(Link::Commands, 72),
            },
            Fault {
                at: start,
                verb: late(Link::Keeper, 73),
            },
            Fault { at: cut, verb: silence },
        ];
        if self.pick(fault, 75, 0, 1) == 0 {
            let (slow, fast) = (-drift, drift);
            let verb = Verb::Drift {
                client,
                ppm: slow,
                length: drifting,
            };
            faults.push(Fault { at: start, verb });
            let verb = Verb::DriftClock {
                server: 0,
                ppm: fast,
                length: drifting,
            };
            faults.push(Fault { at: start, verb });
        }
        faults
    }

    /// The servers' clocks are set apart before anybody works, and there is one failover, or two in a row; where both
    /// lose writes, no order of tokens is asked for. Or the clock of a master goes back, by less than an hour, and it
    /// starts again with its data.
    fn skew(&self) -> Vec<Fault> {
        let step = |at: Duration, server: u32, by_ms: i64| Fault {
            at,
            verb: Verb::StepClock { server, by_ms },
        };
        let draw = |part, high| i64::try_from(self.pick(20, part, 0, high)).expect("steps are small");
        if self.pick(20, 3, 0, 3) == 0 {
            let start = self.time(21, 0, FIRST, LAST);
            let length = self.time(21, 1, 100, 2_000);
            let crash = Fault {
                at: start + self.time(21, 2, 50, 2_000),
                verb: Verb::Crash { length },
            };
            return vec![step(start, 0, -draw(4, 110_000) - 10_000), crash];
        }
        let soon = Duration::from_millis(1);
        let mut faults = vec![
            step(soon, 0, draw(0, 3_800) - 1_900),
            step(soon, 1, draw(1, 3_800) - 1_900),
        ];
        if self.pick(20, 2, 0, 1) == 0 {
            faults.extend(self.twice());
        } else {
            faults.push(self.at(1, self.failover(1)));
        }
        faults
    }

    fn split(&self, fault: u64) -> Verb {
        let (detected, length) = (self.time(fault, 3, 300, 3_000), self.time(fault, 4, 1_000, 9_000));
        if self.pick(fault, 0, 0, 2) == 0 {
            return Verb::Hang {
                detected,
                length: detected + length,
            };
        }
        let last = u32::try_from(self.pick(fault, 1, 1, u64::from(self.clients))).expect("clients are few");
        Verb::Split {
            first: 1,
            last,
            detected,
            length: detected + length,
        }
    }

    /// What may happen beside a failover.
    fn beside(&self, fault: u64) -> Verb {
        match self.pick(fault, 50, 0, 4) {
            0 => self.process(fault),
            1 => Verb::Deaf {
                client: self.client(fault),
                length: self.time(fault, 51, 2_000, 20_000),
            },
            2 => {
                let server = u32::try_from(self.pick(fault, 52, 0, 1)).expect("servers are few");
                let by = self.time(fault, 53, 10, 400);
                Verb::Lag {
                    server,
                    by,
                    length: self.time(fault, 54, 2_000, 10_000),
                }
            }
            _ => self.network(fault),
        }
    }

    fn any(&self, fault: u64) -> Verb {
        match self.pick(fault, 60, 0, 4) {
            0 => self.process(fault),
            1 => self.server(fault),
            2 => self.memory(fault),
            3 => self.operator(fault),
            _ => self.network(fault),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_profile_has_a_name_that_is_read_back() {
        for profile in Profile::ALL {
            assert_eq!(profile.to_string().parse(), Ok(profile));
        }
    }
}
