//! The job: invoices are sent by one process at a time, and each of them once.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use semafence::{Clock, Error, Fence, LockBackend, Mutex as Lock, Permit, StaleToken};

/// Sends what is unsent, one invoice a second, while nobody else does.
///
/// Takes any backend and any clock: a server in production, the simulator in tests.
///
/// # Errors
///
/// [`Error::Lost`] when the lock was lost meanwhile: what is left is for whoever has it now.
pub async fn send_invoices<B: LockBackend, C: Clock>(lock: &Lock<B, C>, books: &Books) -> Result<(), Error> {
    let permit = lock.lock().await?;
    permit.run(send_unsent(&permit, books)).await?;
    permit.release().await?;
    Ok(())
}

async fn send_unsent(permit: &Permit<'_>, books: &Books) {
    while let Some(invoice) = books.first_unsent() {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let Ok(()) = books.mark_as_sent(invoice, permit) else {
            return; // Somebody with a newer token has been here, which `run` tells as well.
        };
    }
}

/// How often each invoice was sent. Refuses whoever has been overtaken, as a table would: see `examples/fencing-sql`.
#[derive(Debug)]
pub struct Books(Mutex<(BTreeMap<u32, u32>, Fence)>);

impl Books {
    /// Books with so many invoices, none of them sent.
    #[must_use]
    pub fn with_unsent(invoices: u32) -> Self {
        Self(Mutex::new((
            (0..invoices).map(|invoice| (invoice, 0)).collect(),
            Fence::new(),
        )))
    }

    /// How often each was sent.
    #[must_use]
    pub fn sent(&self) -> Vec<u32> {
        self.look(|sent, _fence| sent.values().copied().collect())
    }

    fn first_unsent(&self) -> Option<u32> {
        self.look(|sent, _fence| sent.iter().find(|(_, times)| **times == 0).map(|(invoice, _)| *invoice))
    }

    fn mark_as_sent(&self, invoice: u32, permit: &Permit<'_>) -> Result<(), StaleToken> {
        self.look(|sent, fence| {
            fence.admit_all(permit.slots().iter().copied(), permit.token())?;
            *sent.entry(invoice).or_default() += 1;
            Ok(())
        })
    }

    fn look<T>(&self, look: impl FnOnce(&mut BTreeMap<u32, u32>, &mut Fence) -> T) -> T {
        let mut books = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (sent, fence) = &mut *books;
        look(sent, fence)
    }
}
