//! What the workers do.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use futures::future::try_join_all;
use semafence::{Error, Fence, OwnedPermit, Permit};
use tokio::time::sleep;

use super::cast::{Cast, TTL, Worker};
use super::journal::{Journal, What};

/// When the last permits are asked for.
pub(super) const LAST_ORDERS: Duration = Duration::from_millis(5200);
/// About when the last worker leaves.
pub(super) const END: Duration = Duration::from_millis(7000);
/// From when on the next holder is paused.
const PAUSE_FROM: Duration = Duration::from_millis(1500);
/// Long enough for the lease to end and somebody else to work in the same slot.
const PAUSE: Duration = Duration::from_millis(2200);
/// What was under way when a process is paused has arrived by then.
const SETTLED: Duration = Duration::from_millis(100);
const BETWEEN_WRITES: Duration = Duration::from_millis(120);
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);

/// The workers, and the store that they write to.
pub(super) struct Story<'a> {
    cast: &'a Cast,
    journal: &'a Journal,
    /// The check that the store makes: the newest token of each slot.
    store: Mutex<Fence>,
    pause_is_due: AtomicBool,
}

impl<'a> Story<'a> {
    pub(super) fn new(cast: &'a Cast, journal: &'a Journal) -> Self {
        Self {
            cast,
            journal,
            store: Mutex::new(Fence::new()),
            pause_is_due: AtomicBool::new(true),
        }
    }

    /// Plays it to its end.
    pub(super) async fn play(&self) -> Result<(), Error> {
        try_join_all((0..self.cast.workers.len()).map(|number| self.work(number))).await?;
        for worker in &self.cast.workers {
            // What is not given back in time ends with its ttl.
            let _ends_with_its_ttl = tokio::time::timeout(CLOSE_TIMEOUT, worker.client.close()).await;
        }
        Ok(())
    }

    async fn work(&self, number: usize) -> Result<(), Error> {
        let worker = &self.cast.workers[number];
        let mut turn = 0;
        sleep(Duration::from_millis(90) * u32::try_from(number).unwrap_or(0)).await;
        while self.journal.now() < LAST_ORDERS {
            self.journal.note(number, What::Waits);
            let permit = worker.semaphore.acquire().await.map(Permit::into_owned)?;
            let (slot, token) = (permit.slot(), permit.token());
            self.journal.note(number, What::Enters { slot, token });
            if self.journal.now() > PAUSE_FROM && self.pause_is_due.swap(false, Ordering::Relaxed) {
                self.be_paused(number, worker, permit).await;
            } else {
                self.use_permit(number, permit, varied(number, turn, 350, 700)).await?;
            }
            turn += 1;
            sleep(varied(number, turn, 80, 250)).await;
        }
        Ok(())
    }

    async fn use_permit(&self, number: usize, permit: OwnedPermit, hold: Duration) -> Result<(), Error> {
        let until = self.journal.now() + hold;
        while self.journal.now() < until {
            self.write(number, &permit);
            sleep(BETWEEN_WRITES).await;
        }
        self.journal.note(number, What::Leaves);
        permit.release().await.map(|_| ())
    }

    /// The holder stands still in the middle of its work, and goes on as if nothing had happened.
    async fn be_paused(&self, number: usize, worker: &Worker, permit: OwnedPermit) {
        self.write(number, &permit);
        sleep(BETWEEN_WRITES).await;
        worker.switch.pause();
        self.journal.note(number, What::Pauses);
        sleep(SETTLED).await;
        let ended = self.journal.now() + permit.remaining();
        let reason = permit.lost().await;
        self.journal.note(number, What::Loses { reason, ended });
        sleep(PAUSE.saturating_sub(SETTLED + TTL)).await;
        worker.switch.resume();
        self.journal.note(number, What::Wakes);
        self.write(number, &permit);
    }

    /// A write with slot and token, as every resource should ask for.
    fn write(&self, number: usize, permit: &OwnedPermit) {
        let mut store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let what = match store.admit(permit.slot(), permit.token()) {
            Ok(()) => What::Writes,
            Err(stale) => What::Refused(stale),
        };
        self.journal.note(number, what);
    }
}

/// A time between two, different from worker to worker and from turn to turn, the same in every demo.
fn varied(number: usize, turn: usize, from_ms: u64, to_ms: u64) -> Duration {
    let step = (number * 7 + turn * 11) % 13;
    Duration::from_millis(from_ms + (to_ms - from_ms) * step as u64 / 12)
}
