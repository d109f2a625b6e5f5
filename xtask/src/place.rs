//! Where one server, sentinel or side is in a network.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::namespace::Namespace;

/// A namespace of its own at one end of a cable, whose other end is at a switch.
#[derive(Debug)]
pub(crate) struct Place {
    namespace: Namespace,
    number: u8,
}

impl Place {
    /// Numbers begin with 1.
    pub(crate) fn wire(number: u8, switch: &Namespace) -> io::Result<Self> {
        let place = Self {
            namespace: Namespace::create()?,
            number,
        };
        let (plug, there) = (place.plug(), place.namespace.path());
        let there = there.display();
        switch.ip(&[format!("link add {plug} up type veth peer name cable netns {there}")])?;
        place.namespace.ip(&[
            "link set lo up".to_owned(),
            format!("address add {}/24 dev cable", place.address()),
            "link set cable up".to_owned(),
        ])?;
        Ok(place)
    }

    /// From a range that is reserved for documentation: nobody has it.
    pub(crate) fn address(&self) -> Ipv4Addr {
        Ipv4Addr::new(192, 0, 2, self.number)
    }

    /// The switch's name for its end of the cable.
    pub(crate) fn plug(&self) -> String {
        plug(self.number)
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Connects from there, for a caller who may be elsewhere.
    pub(crate) fn dial(&self, address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        let dial = || TcpStream::connect_timeout(&address, timeout);
        self.namespace.within(dial)?
    }
}

/// The switch's name for its end of a cable.
pub(crate) fn plug(number: u8) -> String {
    format!("plug{number}")
}
