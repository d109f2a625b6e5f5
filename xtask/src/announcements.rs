//! When sentinels announce a new master.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::fixture::RedisFixture;
use crate::node::Node;
use crate::resp::{Connection, Reply};

/// How long a sentinel may take to confirm the subscription.
const PATIENCE: Duration = Duration::from_millis(500);
const CHANNEL: &str = "+switch-master";

/// One sentinel's word that there is a new master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// When it arrived here, over the loopback or a bridge: microseconds after it was sent.
    pub at: Instant,
    /// Who said it.
    pub sentinel: SocketAddr,
    /// The new master.
    pub master: SocketAddr,
}

/// What sentinels announced since this was made; each sentinel speaks for itself, so every switch comes several times.
#[derive(Debug)]
pub struct Announcements {
    inbox: Receiver<Announcement>,
    listeners: Vec<Listener>,
}

#[derive(Debug)]
struct Listener {
    stream: TcpStream,
    thread: Option<JoinHandle<()>>,
}

impl Announcements {
    /// Subscribes at every sentinel that answers; one that is restarted later is not heard any more.
    ///
    /// # Panics
    /// If none answers.
    pub fn listen<F: RedisFixture + ?Sized>(fixture: &F) -> Self {
        let (outbox, inbox) = channel();
        let listeners = fixture
            .sentinels()
            .iter()
            .filter_map(|sentinel| Listener::start(sentinel, fixture.service(), outbox.clone()).ok())
            .collect::<Vec<_>>();
        assert!(!listeners.is_empty(), "a sentinel answers");
        Self { inbox, listeners }
    }

    /// The next announcement, in the order of their arrival; `None` if there is none within `patience`.
    #[must_use]
    pub fn next(&self, patience: Duration) -> Option<Announcement> {
        self.inbox.recv_timeout(patience).ok()
    }

    /// How many sentinels are listened to.
    #[must_use]
    pub fn sentinels(&self) -> usize {
        self.listeners.len()
    }
}

impl Listener {
    fn start(sentinel: &impl Node, service: &str, outbox: Sender<Announcement>) -> io::Result<Self> {
        let mut connection = sentinel.connect(PATIENCE)?;
        connection.command(&["SUBSCRIBE", CHANNEL])?;
        let stream = connection.wait_without_end()?;
        let (address, service) = (sentinel.address(), service.to_owned());
        let thread = thread::spawn(move || forward(connection, address, &service, &outbox));
        Ok(Self {
            stream,
            thread: Some(thread),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _a_dead_connection_is_fine = self.stream.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _it_cannot_panic = thread.join();
        }
    }
}

fn forward(mut connection: Connection, sentinel: SocketAddr, service: &str, outbox: &Sender<Announcement>) {
    while let Ok(message) = connection.read() {
        let at = Instant::now();
        if let Some(master) = new_master(&message, service) {
            let _nobody_listens_any_more_is_fine = outbox.send(Announcement { at, sentinel, master });
        }
    }
}

/// Reads `["message", "+switch-master", "semafence 127.0.0.1 1 127.0.0.1 2"]`.
fn new_master(message: &Reply, service: &str) -> Option<SocketAddr> {
    let [_, _, text] = message.items() else {
        return None;
    };
    let text = text.text();
    let [name, _, _, ip, port] = text.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    (name == service).then(|| format!("{ip}:{port}").parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> Reply {
        Reply::Array(["message", CHANNEL, text].map(|word| Reply::Bulk(word.into())).to_vec())
    }

    #[test]
    fn an_announcement_names_the_new_master_of_our_service() {
        let ours = message("semafence 127.0.0.1 1 127.0.0.1 2");
        let foreign = message("other 127.0.0.1 1 127.0.0.1 2");

        assert_eq!(new_master(&ours, "semafence"), "127.0.0.1:2".parse().ok());
        assert_eq!(new_master(&foreign, "semafence"), None);
        assert_eq!(new_master(&Reply::Nil, "semafence"), None);
    }
}
