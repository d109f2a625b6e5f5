//! A simulated client process: its clock, its connections, and what befalls them.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::SimClock;
use crate::driver::Shared;
use crate::history::What;
use crate::network::{Direction, Link};
use crate::random::draw;
use crate::trace::Wire;
use crate::world::World;

const BOTH: [Direction; 2] = [Direction::Request, Direction::Reply];

/// A client process of a [`Sim`](crate::Sim); clones are the same process.
#[derive(Clone)]
pub struct Process {
    pub(crate) shared: Arc<Shared>,
    number: u32,
    clock: SimClock,
}

impl Process {
    pub(crate) fn new(shared: Arc<Shared>, seed: u64) -> Self {
        let number = shared.with(|world| {
            world.clients += 1;
            world.clients
        });
        Self::numbered(shared, seed, number)
    }

    pub(crate) fn numbered(shared: Arc<Shared>, seed: u64, number: u32) -> Self {
        // Clocks of different processes share no origin, so a program that compares their moments fails.
        let origin = Duration::from_micros(draw(seed, &[0xc10c, u64::from(number)]) % 1_000_000_000_000);
        let clock = SimClock::new(shared.start, origin);
        Self { shared, number, clock }
    }

    /// Its number in the trace, from 1.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// Its clock.
    #[must_use]
    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// Stops the process, as SIGSTOP or a long collection of garbage does.
    ///
    /// Its clock goes on, but its timers, replies and messages wait for [`resume`](Self::resume), and it sends nothing.
    /// Does nothing to one that stands still already.
    pub fn pause(&self) {
        if self.clock.pause() {
            self.note("pauses");
            self.with(|world| world.tell(What::Paused { client: self.number }));
        }
    }

    /// Lets the process go on, unless it is dead.
    pub fn resume(&self) {
        if self.clock.resume() {
            self.note("resumes");
            self.with(|world| world.tell(What::Resumed { client: self.number }));
        }
    }

    /// Loses everything that is sent and under way between this process and every server, both ways.
    pub fn partition(&self) {
        self.note("is partitioned");
        self.with(|world| world.cut(self.number, &Link::ALL, &BOTH));
    }

    /// Loses everything that is sent and under way between this process and one of several deployments, both ways.
    pub fn partition_from(&self, deployment: u32) {
        self.note(&format!("is partitioned from site {deployment}"));
        self.with(|world| world.cut_from(self.number, deployment));
    }

    /// Loses everything that goes one way on one connection.
    pub fn cut(&self, link: Link, direction: Direction) {
        self.note(&format!("loses {link} {direction:?}"));
        self.with(|world| world.cut(self.number, &[link], &[direction]));
    }

    /// Ends partitions and cuts. Subscriptions connect again a moment later and say that they may have missed something.
    pub fn repair(&self) {
        self.note("is repaired");
        self.with(|world| world.mend(self.number, &Link::ALL));
    }

    /// Loses the next `count` messages of one connection, one way: requests that never arrive, or replies to requests
    /// that ran.
    pub fn drop_next(&self, link: Link, direction: Direction, count: u64) {
        self.each(&[link], |world, wire| world.way(wire, direction).drop_next = count);
    }

    /// Keeps back everything that is sent one way on one connection, until [`deliver`](Self::deliver).
    pub fn hold(&self, link: Link, direction: Direction) {
        self.note(&format!("is held on {link} {direction:?}"));
        self.each(&[link], |world, wire| world.way(wire, direction).holding = true);
    }

    /// Lets go of everything that was kept back: requests arrive although their sender has long given up.
    pub fn deliver(&self) {
        self.note("is delivered");
        self.each(&Link::ALL, |world, wire| {
            for direction in BOTH {
                world.deliver(wire, direction);
            }
        });
    }

    /// How long a message of this process takes, one way; 0.2–1.8 ms by default.
    ///
    /// Latencies are drawn in microseconds, but tokio's timer counts milliseconds: a round trip is seen to take whole
    /// ones.
    ///
    /// # Panics
    ///
    /// When the range is empty.
    pub fn set_latency(&self, latency: RangeInclusive<Duration>) {
        assert!(!latency.is_empty(), "the range of latencies is empty");
        self.each(&Link::ALL, |world, wire| {
            for direction in BOTH {
                world.way(wire, direction).set_latency(latency.clone());
            }
        });
    }

    /// Ends the process, as SIGKILL does: nothing is given back, nothing more is sent, and its tasks never go on.
    pub fn kill(&self) {
        if self.clock.kill() {
            self.note("dies");
            self.with(|world| {
                world.tell(What::Died { client: self.number });
                world.cut(self.number, &Link::ALL, &[Direction::Reply]);
            });
        }
    }

    /// Whether it hears of failovers; one that does not looks for the master when a connection fails.
    pub fn set_deaf(&self, deaf: bool) {
        self.with(|world| {
            if deaf {
                world.deaf.insert(self.number);
            } else {
                world.deaf.remove(&self.number);
            }
        });
    }

    pub(crate) fn wire(&self, site: u32, link: Link) -> Wire {
        Wire {
            client: self.number,
            site,
            link,
        }
    }

    fn each(&self, links: &[Link], act: impl Fn(&mut World, Wire)) {
        self.with(|world| {
            for wire in world.wires(self.number, links) {
                act(world, wire);
            }
        });
    }

    fn note(&self, what: &str) {
        self.with(|world| world.note(format!("client {} {what}", self.number)));
    }

    fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        self.shared.with(act)
    }
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("number", &self.number)
            .field("clock", &self.clock)
            .finish_non_exhaustive()
    }
}
