//! The signals of the supervisor.

use std::{fs, io};

use rustix::process::Signal;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// What is passed on to the command.
const FORWARDED: [Signal; 7] = [
    Signal::TERM,
    Signal::INT,
    Signal::HUP,
    Signal::QUIT,
    Signal::USR1,
    Signal::USR2,
    Signal::CONT,
];

/// Signals as they arrive.
#[derive(Debug)]
pub(super) struct Signals(mpsc::UnboundedReceiver<i32>);

impl Signals {
    /// Listens from now on. A signal that was ignored from the start, as by nohup, stays ignored.
    pub(super) fn listen() -> io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let ignored = ignored();
        for number in FORWARDED.map(Signal::as_raw) {
            if ignored & mask(number) != 0 {
                continue;
            }
            let mut stream = signal(SignalKind::from_raw(number))?;
            let sender = sender.clone();
            tokio::spawn(async move { while stream.recv().await.is_some() && sender.send(number).is_ok() {} });
        }
        Ok(Self(receiver))
    }

    /// The next signal.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if this is dropped.
    pub(super) async fn next(&mut self) -> i32 {
        match self.0.recv().await {
            Some(number) => number,
            // All are ignored, so none will come.
            None => std::future::pending().await,
        }
    }

    /// The next signal that asks the program to end.
    pub(super) async fn next_fatal(&mut self) -> i32 {
        loop {
            let number = self.next().await;
            if number != Signal::CONT.as_raw() {
                return number;
            }
        }
    }
}

/// Whether the terminal sends this signal to its whole foreground group, the command included.
pub(super) fn comes_from_the_keyboard(number: i32) -> bool {
    [Signal::INT, Signal::QUIT].map(Signal::as_raw).contains(&number)
}

/// The signals ignored when the program started, one bit each. Where the system does not tell: none.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    field
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .unwrap_or(0)
}

fn mask(number: i32) -> u64 {
    1 << (number - 1)
}
