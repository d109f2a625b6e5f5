//! Where a server runs.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use crate::network::Network;
use crate::place::Place;
use crate::process;

/// Where a server runs: beside its test, or in a namespace of its own.
#[derive(Clone, Debug, Default)]
pub(crate) enum Location {
    #[default]
    Loopback,
    Place(Arc<Place>),
}

impl Location {
    /// The next place in a network, if there is one.
    pub(crate) fn next(network: Option<&mut Network>) -> io::Result<Self> {
        let place = network.map(Network::place).transpose()?;
        Ok(place.map_or(Self::Loopback, |place| Self::Place(Arc::new(place))))
    }

    pub(crate) fn address(&self) -> Ipv4Addr {
        match self {
            Self::Loopback => Ipv4Addr::LOCALHOST,
            Self::Place(place) => place.address(),
        }
    }

    pub(crate) fn place(&self) -> Option<&Place> {
        match self {
            Self::Loopback => None,
            Self::Place(place) => Some(place),
        }
    }

    /// Starts a program there.
    pub(crate) fn spawn(&self, command: Command) -> io::Result<Child> {
        match self {
            Self::Loopback => process::spawn(command),
            Self::Place(place) => process::spawn_at(command, Arc::clone(place)),
        }
    }

    /// Connects to a port there, by no cable: a partition does not matter.
    pub(crate) fn dial(&self, port: u16, timeout: Duration) -> io::Result<TcpStream> {
        let address = SocketAddr::from((self.address(), port));
        match self {
            Self::Loopback => TcpStream::connect_timeout(&address, timeout),
            Self::Place(place) => place.dial(address, timeout),
        }
    }
}
