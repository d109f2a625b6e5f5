//! Where messages that arrive on a connection are put.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use semafence::{Inbox, Wakeup, script};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// The listeners on a connection, by channel.
#[derive(Debug)]
pub(crate) struct Mailboxes(Mutex<Listeners>);

/// None once the connection is over.
type Listeners = Option<HashMap<String, Vec<UnboundedSender<Wakeup>>>>;

impl Mailboxes {
    pub(crate) fn open() -> Self {
        Self(Mutex::new(Some(HashMap::new())))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.listeners().is_none()
    }

    pub(crate) fn add(&self, inbox: Inbox) -> UnboundedReceiver<Wakeup> {
        let (sender, receiver) = unbounded_channel();
        if let Some(listeners) = &mut *self.listeners() {
            let same_inbox = listeners.entry(inbox.channel()).or_default();
            same_inbox.retain(|listener| !listener.is_closed());
            same_inbox.push(sender);
        }
        receiver
    }

    /// Forgets an inbox whose last listener is gone, and says whether that was so.
    pub(crate) fn forget_deserted(&self, inbox: Inbox) -> bool {
        let channel = inbox.channel();
        let mut listeners = self.listeners();
        let Some(listeners) = &mut *listeners else { return false };
        let is_deserted = |same_inbox: &Vec<UnboundedSender<_>>| same_inbox.iter().all(UnboundedSender::is_closed);
        listeners.get(&channel).is_some_and(is_deserted) && listeners.remove(&channel).is_some()
    }

    pub(crate) fn deliver(&self, channel: &str, message: &[u8]) {
        let Some(wakeup) = script::read_wakeup(message) else {
            return;
        };
        let listeners = self.listeners();
        for listener in listeners
            .iter()
            .filter_map(|listeners| listeners.get(channel))
            .flatten()
        {
            let _nobody_listens_any_more_is_fine = listener.send(wakeup);
        }
    }

    /// Messages were lost that were for any of them.
    pub(crate) fn tell_missed(&self) {
        for listener in self.listeners().iter().flat_map(HashMap::values).flatten() {
            let _nobody_listens_any_more_is_fine = listener.send(Wakeup::Missed);
        }
    }

    pub(crate) fn close(&self) {
        *self.listeners() = None;
    }

    fn listeners(&self) -> MutexGuard<'_, Listeners> {
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

        let mut late = mailboxes.add(Inbox::from_bits(1));

        assert_eq!(late.blocking_recv(), None);
    }
}
