//! What one process does all the time.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use semafence::{Client, Error, LeaseTime, LockBackend, LossReason, Semaphore, Standing};
use tokio_util::sync::CancellationToken;

use crate::moment::now;
use crate::sighting::{How, Seen, Sighting};

/// How many hold a permit of the shared semaphore at once.
pub(crate) const SHARED_LIMIT: u32 = 3;
pub(crate) const SHARED: &str = "shared";
const HOLD: Duration = Duration::from_millis(20);
const LONG_HOLD: Duration = Duration::from_millis(400);
/// A remaining time that grows by more than this was refreshed.
const REFRESHED: Duration = Duration::from_millis(5);

pub(crate) type AnyClient = Client<Arc<dyn LockBackend>>;
pub(crate) type AnySemaphore = Semaphore<Arc<dyn LockBackend>>;

/// How the names begin that only one process uses, and only once.
pub(crate) fn fresh_prefix(process: u32) -> String {
    format!("fresh-{process}-")
}

/// One process's part of the load.
#[derive(Debug, Clone)]
pub(crate) struct Load {
    pub(crate) number: u32,
    pub(crate) client: AnyClient,
    pub(crate) ttl: Duration,
    pub(crate) grace: Duration,
    pub(crate) lease_time: LeaseTime,
    pub(crate) stop: CancellationToken,
}

impl Load {
    /// Takes and gives back permits of one semaphore until it is told to stop.
    pub(crate) async fn contend(self, name: String, limit: u32, is_long: bool) -> Result<(), Error> {
        let semaphore = self.semaphore(&name, limit)?;
        let hold = if is_long { LONG_HOLD } else { HOLD };
        while !self.stop.is_cancelled() {
            self.hold_once(&semaphore, &name, hold).await?;
            // Whoever comes again at once is served by the queue all the same; only its own name would be a busy loop.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    /// Takes a permit of a new name each time: what a failover forgot of earlier ones, also that they were given back,
    /// does not matter.
    pub(crate) async fn take_fresh(self) -> Result<(), Error> {
        for count in 0_u64.. {
            if self.stop.is_cancelled() {
                break;
            }
            let name = format!("{}{count}", fresh_prefix(self.number));
            self.hold_once(&self.semaphore(&name, 1)?, &name, HOLD).await?;
        }
        Ok(())
    }

    /// Holds one permit and tells when it is refreshed; takes it again when it is lost.
    pub(crate) async fn keep(self) -> Result<(), Error> {
        let name = format!("kept-{}", self.number);
        let semaphore = self.semaphore(&name, 1)?;
        while !self.stop.is_cancelled() {
            let Some((permit, asked)) = self.acquire(&semaphore, &name).await? else {
                return Ok(());
            };
            let granted = now();
            let mut remaining = permit.remaining();
            while permit.is_held() && !self.stop.is_cancelled() {
                tokio::time::sleep(Duration::from_millis(1)).await;
                let at = now();
                if permit.remaining() > remaining + REFRESHED {
                    println!(
                        "{}",
                        Sighting::Renewed {
                            client: self.number,
                            at
                        }
                    );
                }
                remaining = permit.remaining();
            }
            self.tell(&name, permit, asked, granted).await;
        }
        Ok(())
    }

    async fn hold_once(&self, semaphore: &AnySemaphore, name: &str, hold: Duration) -> Result<(), Error> {
        let Some((permit, asked)) = self.acquire(semaphore, name).await? else {
            return Ok(());
        };
        let granted = now();
        tokio::select! {
            biased;
            _reason = permit.lost() => {}
            () = tokio::time::sleep(hold) => {}
        }
        self.tell(name, permit, asked, granted).await;
        Ok(())
    }

    /// A permit, and since when it was asked for; `None` if there is none for long after the end.
    async fn acquire<'a>(
        &self,
        semaphore: &'a AnySemaphore,
        name: &str,
    ) -> Result<Option<(semafence::Permit<'a>, Duration)>, Error> {
        let asked = now();
        tokio::select! {
            biased;
            permit = semaphore.acquire() => Ok(Some((permit?, asked))),
            () = self.stopped_for_long() => {
                let (client, name) = (self.number, name.to_owned());
                println!("{}", Sighting::Hanging { client, name, asked });
                Ok(None)
            }
        }
    }

    /// Gives a permit back, and tells what became of it.
    async fn tell(&self, name: &str, permit: semafence::Permit<'_>, asked: Duration, granted: Duration) {
        let mut seen = Seen {
            client: self.number,
            name: name.to_owned(),
            slot: permit.slot(),
            token: permit.token().as_u64(),
            asked,
            granted,
            ended: now(),
            how: How::Released,
        };
        let lost = permit.lost().now_or_never();
        seen.how = match (permit.release().await, lost) {
            (_, Some(LossReason::Forgotten)) => How::Forgotten,
            (_, Some(_)) => How::Lost,
            (Ok(Standing::Held), None) => How::Released,
            (Ok(_), None) => How::Absent,
            (Err(_), None) => How::Unanswered,
        };
        println!("{}", Sighting::Permit(seen));
    }

    /// A waiter may take as long as a failover and a grace after it.
    async fn stopped_for_long(&self) {
        self.stop.cancelled().await;
        tokio::time::sleep(Duration::from_secs(20) + self.ttl * 2).await;
    }

    fn semaphore(&self, name: &str, limit: u32) -> Result<AnySemaphore, Error> {
        let semaphore = self.client.semaphore(name, limit).ttl(self.ttl);
        let semaphore = semaphore.lease_time(self.lease_time);
        semaphore.failover_grace(self.grace).build()
    }
}
