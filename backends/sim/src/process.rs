//! A simulated client process: its clock, its connections, and what befalls them.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::SimClock;
use crate::driver::Shared;
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
    pub fn pause(&self) {
        self.note("pauses");
        self.clock.pause();
    }

    /// Lets the process go on.
    pub fn resume(&self) {
        self.note("resumes");
        self.clock.resume();
    }

    /// Loses everything that is sent and under way between this process and the server, both ways.
    pub fn partition(&self) {
        self.note("is partitioned");
        self.with(|world| world.cut(self.number, &Link::ALL, &BOTH));
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
        self.with(|world| world.way(self.wire(link), direction).drop_next = count);
    }

    /// Keeps back everything that is sent one way on one connection, until [`deliver`](Self::deliver).
    pub fn hold(&self, link: Link, direction: Direction) {
        self.note(&format!("is held on {link} {direction:?}"));
        self.with(|world| world.way(self.wire(link), direction).holding = true);
    }

    /// Lets go of everything that was kept back: requests arrive although their sender has long given up.
    pub fn deliver(&self) {
        self.note("is delivered");
        self.with(|world| {
            for link in Link::ALL {
                for direction in BOTH {
                    world.deliver(self.wire(link), direction);
                }
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
        self.with(|world| {
            for link in Link::ALL {
                for direction in BOTH {
                    world.way(self.wire(link), direction).set_latency(latency.clone());
                }
            }
        });
    }

    pub(crate) fn wire(&self, link: Link) -> Wire {
        Wire {
            client: self.number,
            link,
        }
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
