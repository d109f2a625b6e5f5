//! A task that asks, holds, writes and gives back, over and over, and writes down what it sees.

use std::time::Duration;

use semafence::{Client, Clock, Error, LeaseTime, LockBackend, LossReason, OwnedPermit, Semaphore};

use super::work::Work;
use crate::history::{Asked, End, Op, Patience, Return, What};
use crate::random::draw;

/// One task of a client process. The same on the simulator and on real servers.
#[derive(Debug)]
pub(super) struct Worker<B: LockBackend, C: Clock> {
    pub(super) client: Client<B, C>,
    /// The client process in the history.
    pub(super) process: u32,
    /// Which of its tasks.
    pub(super) task: u32,
    pub(super) work: Work,
}

/// What a worker does in one turn.
#[derive(Debug, Clone, Copy)]
struct Turn {
    number: u64,
    op: Op,
}

impl<B: LockBackend, C: Clock> Worker<B, C> {
    /// Works until it is stopped.
    pub(super) async fn run(self) {
        for number in 0.. {
            self.sleep(self.spread(number, 0, self.work.setting.think)).await;
            if self.work.is_stopped() {
                return;
            }
            self.turn(number).await;
        }
    }

    async fn turn(&self, number: u64) {
        let turn = Turn {
            number,
            op: self.work.scribe.next_op(),
        };
        let name = format!("name-{}", 1 + self.pick(number, 1, u64::from(self.work.setting.names)));
        let semaphore = self.client.semaphore(name, self.work.setting.limit);
        let semaphore = semaphore
            .ttl(self.work.setting.ttl)
            .strategy(self.work.setting.strategy)
            .failover_grace(self.grace())
            .lease_time(self.lease_time())
            .acks(self.work.setting.acks)
            .acks_timeout(self.work.setting.ttl / 6)
            .build();
        let semaphore = semaphore.expect("settings are within their ranges");
        if let Some(permit) = self.acquire(&semaphore, turn).await {
            self.hold(permit, turn).await;
        }
    }

    async fn acquire(&self, semaphore: &Semaphore<B, C>, turn: Turn) -> Option<OwnedPermit> {
        let heavy = self.pick(turn.number, 2, 5) == 0;
        let limit = u64::from(self.work.setting.limit);
        let weight = if heavy { 1 + self.pick(turn.number, 3, limit) } else { 1 };
        let weight = u32::try_from(weight).expect("limits are small");
        let patience = match self.pick(turn.number, 4, 20) {
            0..=1 => Patience::None,
            2..=4 => Patience::Timed(self.time(turn.number, 5, 100, 4_000)),
            _ => Patience::Endless,
        };
        self.ask(semaphore, turn, weight, patience);
        let cancelled_after = (self.pick(turn.number, 6, 8) == 0).then(|| self.time(turn.number, 7, 0, 700));
        let acquire = async {
            let permit = match patience {
                Patience::Endless => semaphore.acquire_many(weight).await.map(Some),
                Patience::None => semaphore.try_acquire_many(weight).await,
                Patience::Timed(timeout) => semaphore.acquire_many_timeout(weight, timeout).await.map(Some),
            };
            permit.map(|permit| permit.map(semafence::Permit::into_owned))
        };
        let outcome = tokio::select! {
            biased;
            outcome = acquire => outcome,
            () = self.sleep_or_never(cancelled_after) => return self.end(turn.op, End::Cancelled),
        };
        match outcome {
            Ok(Some(permit)) => Some(self.granted(turn.op, permit)),
            Ok(None) => self.end(turn.op, End::Busy),
            Err(Error::TimedOut { .. }) => self.end(turn.op, End::TimedOut),
            Err(Error::Unacknowledged { .. }) => self.end(turn.op, End::Unacknowledged),
            Err(error) => self.end(turn.op, End::Failed(error.to_string())),
        }
    }

    fn grace(&self) -> Duration {
        if self.work.setting.grace {
            self.work.setting.ttl
        } else {
            Duration::ZERO
        }
    }

    fn lease_time(&self) -> LeaseTime {
        if self.work.setting.stepless {
            LeaseTime::Stepless
        } else {
            LeaseTime::Server
        }
    }

    fn ask(&self, semaphore: &Semaphore<B, C>, turn: Turn, weight: u32, patience: Patience) {
        let config = semaphore.config();
        self.work.scribe.add(What::Asked(Asked {
            op: turn.op,
            client: self.process,
            name: config.name.clone(),
            limit: config.limit,
            weight,
            ttl: config.ttl,
            refresh_interval: config.refresh_interval.unwrap_or(config.ttl / 3),
            patience,
            grace: self.grace(),
            acks: config.acks,
            acks_timeout: config.acks_timeout.filter(|_| config.acks > 0).unwrap_or_default(),
            stepless: config.lease_time == LeaseTime::Stepless,
            queues: config.strategy == semafence::Strategy::Queue,
        }));
    }

    fn granted(&self, op: Op, permit: OwnedPermit) -> OwnedPermit {
        let (holder, token, slots) = (permit.holder(), permit.token(), permit.slots().to_vec());
        self.work.scribe.add(What::Granted {
            op,
            holder,
            token,
            slots,
            acks: permit.acks(),
        });
        permit
    }

    fn end(&self, op: Op, how: End) -> Option<OwnedPermit> {
        self.work.scribe.add(What::Ended { op, how });
        None
    }

    /// Writes to the resource until it is time to give the permit back, or it is lost.
    async fn hold(&self, permit: OwnedPermit, turn: Turn) {
        let long = self.pick(turn.number, 10, 8) == 0;
        let hold = if long {
            self.work.setting.ttl * 2
        } else {
            self.spread(turn.number, 11, self.work.setting.hold)
        };
        let until = self.client.clock().now() + hold;
        let pause = (hold / 4).max(Duration::from_millis(5));
        for write in 0.. {
            if !permit.is_held() {
                return self.lost(turn.op, permit.lost().await);
            }
            self.write(&permit, turn, write);
            let next = until.min(self.client.clock().now() + pause);
            tokio::select! {
                biased;
                reason = permit.lost() => return self.lost(turn.op, reason),
                () = self.client.clock().sleep_until(next) => {}
            }
            if self.client.clock().now() >= until {
                break;
            }
        }
        self.give_back(permit, turn).await;
    }

    fn lost(&self, op: Op, reason: LossReason) {
        self.work.scribe.add(What::Lost { op, reason });
    }

    /// Sends a write on its way; some take so long that another owns the slot by then.
    fn write(&self, permit: &OwnedPermit, turn: Turn, write: u64) {
        let draws = turn.number * 64 + write;
        let late = self.pick(draws, 20, 30) == 0;
        let way = if late {
            self.time(draws, 21, 0, 6_000)
        } else {
            self.time(draws, 22, 0, 3)
        };
        let (resource, scribe, op) = (self.work.resource.clone(), self.work.scribe.clone(), turn.op);
        let (name, slots, token) = (
            permit.name().as_str().to_owned(),
            permit.slots().to_vec(),
            permit.token(),
        );
        tokio::spawn(async move {
            tokio::time::sleep(way).await;
            for slot in slots {
                let admitted = resource.write(&name, slot, token);
                scribe.add(What::Wrote {
                    op,
                    slot,
                    token,
                    admitted,
                });
            }
        });
    }

    async fn give_back(&self, permit: OwnedPermit, turn: Turn) {
        let op = turn.op;
        if self.pick(turn.number, 30, 3) == 0 {
            self.work.scribe.add(What::Returning {
                op,
                how: Return::Dropped,
            });
            return drop(permit);
        }
        // What is lost at this very moment is told instead.
        if !permit.is_held() {
            return self.lost(op, permit.lost().await);
        }
        self.work.scribe.add(What::Returning {
            op,
            how: Return::Released,
        });
        let answer = permit.release().await.map_err(|error| error.to_string());
        self.work.scribe.add(What::Returned { op, answer });
    }

    async fn sleep(&self, length: Duration) {
        let clock = self.client.clock();
        clock.sleep_until(clock.now() + length).await;
    }

    async fn sleep_or_never(&self, length: Option<Duration>) {
        match length {
            Some(length) => self.sleep(length).await,
            None => std::future::pending().await,
        }
    }

    fn pick(&self, turn: u64, part: u64, below: u64) -> u64 {
        let (client, task) = (u64::from(self.process), u64::from(self.task));
        draw(self.work.seed, &[0x30b, client, task, turn, part]) % below
    }

    fn time(&self, turn: u64, part: u64, low: u64, high: u64) -> Duration {
        Duration::from_millis(low + self.pick(turn, part, high - low + 1))
    }

    /// A time around `median`: from a quarter of it to almost four times as much.
    fn spread(&self, turn: u64, part: u64, median: Duration) -> Duration {
        let quarter = median / 4;
        let sixteenths = u32::try_from(self.pick(turn, part, 16)).expect("below sixteen");
        quarter + median * (sixteenths * sixteenths) / 64
    }
}
