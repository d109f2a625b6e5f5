//! Where messages that arrive on a connection are put.

use std::sync::{Mutex, MutexGuard, PoisonError};

use semafence::Wakeup;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The listeners on a connection; none any more, and never again, once it is over.
#[derive(Debug)]
pub(crate) struct Mailboxes(Mutex<Option<Vec<UnboundedSender<Wakeup>>>>);

impl Mailboxes {
    pub(crate) fn open() -> Self {
        Self(Mutex::new(Some(Vec::new())))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.listeners().is_none()
    }

    pub(crate) fn add(&self) -> UnboundedReceiver<Wakeup> {
        let (sender, receiver) = unbounded_channel();
        if let Some(listeners) = &mut *self.listeners() {
            listeners.retain(|listener| !listener.is_closed());
            listeners.push(sender);
        }
        receiver
    }

    pub(crate) fn deliver(&self, wakeup: Wakeup) {
        for listener in self.listeners().iter().flatten() {
            let _nobody_listens_any_more_is_fine = listener.send(wakeup);
        }
    }

    pub(crate) fn close(&self) {
        *self.listeners() = None;
    }

    fn listeners(&self) -> MutexGuard<'_, Option<Vec<UnboundedSender<Wakeup>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_comes_after_the_end_ends_at_once() {
        let mailboxes = Mailboxes::open();
        mailboxes.close();

        let mut late = mailboxes.add();

        assert_eq!(late.blocking_recv(), None);
    }
}
