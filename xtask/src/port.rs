//! Ports that no other test on this machine has.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;

use rustix::fs::{FlockOperation, flock};

use crate::error::StartError;

/// Below the range from which kernels give ports to outgoing connections: a server that is killed gets its port back.
const FIRST: u16 = 20_000;
const COUNT: u16 = 12_000;

/// A port that is this process's own, also while nothing listens on it.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    /// Locked until dropped; the kernel unlocks it if the process dies.
    _lock: File,
}

impl Port {
    pub(crate) fn pick() -> io::Result<Self> {
        let offset = RandomState::new().hash_one(()) % u64::from(COUNT);
        let offset = u16::try_from(offset).expect("a remainder below a u16");
        (0..COUNT)
            .map(|step| FIRST + (offset + step) % COUNT)
            .find_map(|number| Self::take(number).transpose())
            .unwrap_or_else(|| Err(io::Error::other("no free port between 20000 and 31999")))
    }

    /// The port that somebody chose, or any that is free.
    pub(crate) fn given_or_picked(given: Option<u16>) -> Result<Self, StartError> {
        match given {
            Some(number) => Self::take(number)?.ok_or(StartError::PortTaken(number)),
            None => Ok(Self::pick()?),
        }
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    fn take(number: u16) -> io::Result<Option<Self>> {
        let lock = File::create(lock_dir()?.join(number.to_string()))?;
        let ours = flock(&lock, FlockOperation::NonBlockingLockExclusive).is_ok();
        let free = ours && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
        Ok(free.then_some(Self { number, _lock: lock }))
    }
}

fn lock_dir() -> io::Result<PathBuf> {
    let user = rustix::process::getuid().as_raw();
    let dir = std::env::temp_dir().join(format!("semafence-ports-{user}"));
    fs::create_dir_all(&dir)?;
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use std::thread;
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_port_is_given_to_one_owner_at_a_time() {
        let port = Port::pick().unwrap();

        assert!(Port::take(port.number()).unwrap().is_none());
        let number = port.number();
        drop(port);
        // A process that another test forks holds the lock, too, until it runs its own program.
        let again = (0..1000).any(|_| {
            thread::sleep(Duration::from_millis(1));
            Port::take(number).unwrap().is_some()
        });
        assert!(again);
    }
}
