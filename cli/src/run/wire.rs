//! What the supervisor and the guard tell each other: one JSON value a line over a socket.

use std::io;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::timing::Deadlines;

/// From the supervisor to the guard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Order {
    /// The lease lives; stop the group at these moments unless another such order comes.
    Lease(Deadlines),
    /// Send this signal to the group.
    Signal(i32),
    /// The lease is lost: SIGTERM now, SIGKILL at this moment at the latest.
    Stop {
        /// Since the clock's origin.
        kill_at: Duration,
    },
}

/// From the guard to the supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Event {
    /// The command runs in this process group.
    Started {
        /// Its process group.
        group: i32,
    },
    /// The command itself has ended; others of its group may be left.
    Ended(Ending),
    /// SIGTERM was sent because of the lease.
    Terminating,
    /// SIGKILL was sent because of the lease.
    Killing,
    /// Nothing of the group is left.
    Gone,
}

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Ending {
    /// With this exit code.
    Exit(u8),
    /// By this signal.
    Signal(i32),
}

/// One end of the socket.
#[derive(Debug)]
pub(super) struct Wire {
    lines: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
}

impl Wire {
    pub(super) fn new(socket: std::os::unix::net::UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (reader, writer) = UnixStream::from_std(socket)?.into_split();
        Ok(Self {
            lines: BufReader::new(reader).lines(),
            writer,
        })
    }

    /// Sends one message. A few dozen bytes into a socket's buffer: this does not wait.
    pub(super) async fn send(&mut self, message: &(impl Serialize + Sync)) -> io::Result<()> {
        self.writer.write_all(&line(message)).await
    }

    /// The next message; `None` once the other side is gone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if this is dropped.
    pub(super) async fn receive<T: DeserializeOwned>(&mut self) -> Option<T> {
        // A broken socket and a broken message mean the same as none: the other side cannot be relied on any more.
        let line = self.lines.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }
}

/// A message as it goes over the socket.
pub(super) fn line(message: &impl Serialize) -> Vec<u8> {
    let mut line = serde_json::to_vec(message).expect("messages have no maps and no foreign types");
    line.push(b'\n');
    line
}
