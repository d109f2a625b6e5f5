//! A network of one deployment, which can be split.

use std::io;
use std::sync::Arc;

use crate::namespace::Namespace;
use crate::place::{Place, plug};
use crate::side::Side;

/// The two bridges of the switch: a packet on the one never gets to the other.
const MAINLAND: &str = "mainland";
const ISLAND: &str = "island";

/// A network of one deployment: a switch, and a place for each server, each sentinel, and clients on either side of a
/// split. Nothing else of this machine sees it, and nothing of it is left when this process ends.
#[derive(Debug)]
pub(crate) struct Network {
    switch: Namespace,
    plugs: u8,
    cut_off: Arc<Place>,
    rest: Arc<Place>,
}

impl Network {
    /// # Errors
    /// Where this cannot be done: it takes Linux, root, and the programs `ip` and `unshare`.
    pub(crate) fn create() -> io::Result<Self> {
        let switch = Namespace::create()?;
        let [cut_off, rest] = [Place::wire(1, &switch)?, Place::wire(2, &switch)?].map(Arc::new);
        switch.ip(&[MAINLAND, ISLAND].map(|bridge| format!("link add {bridge} up type bridge")))?;
        let network = Self {
            switch,
            plugs: 2,
            cut_off,
            rest,
        };
        network.split(&[])?;
        Ok(network)
    }

    /// A place of its own for one more server.
    pub(crate) fn place(&mut self) -> io::Result<Place> {
        let place = Place::wire(self.plugs + 1, &self.switch)?;
        self.plugs += 1;
        self.switch.ip(&[connect(&place.plug(), MAINLAND)])?;
        Ok(place)
    }

    pub(crate) fn side(&self, side: Side) -> &Arc<Place> {
        match side {
            Side::CutOff => &self.cut_off,
            Side::Rest => &self.rest,
        }
    }

    /// From now on no packet passes between these places, clients of that side among them, and all others; with nobody to
    /// cut off, all are together.
    pub(crate) fn split(&self, cut_off: &[&Place]) -> io::Result<()> {
        let with_clients = cut_off.first().map(|_| &*self.cut_off);
        let island: Vec<_> = cut_off.iter().copied().chain(with_clients).map(Place::plug).collect();
        let cables = (1..=self.plugs).map(plug).map(|plug| {
            let bridge = if island.contains(&plug) { ISLAND } else { MAINLAND };
            connect(&plug, bridge)
        });
        self.switch.ip(&cables.collect::<Vec<_>>())
    }
}

fn connect(plug: &str, bridge: &str) -> String {
    format!("link set {plug} master {bridge}")
}
