//! Which server each connection leads to, and when a client looks for another.

use std::time::Duration;

use super::{Answer, World, reset, subscriptions::Reconnect};
use crate::database::Resp;
use crate::history::ServerId;
use crate::site::Site;
use crate::timeline::WorldTime;
use crate::trace::Wire;

/// How long a client needs to find the master and connect to it.
pub(super) const RECONNECT: Duration = Duration::from_millis(5);

/// So many timeouts in a row, and a client looks for the master anew.
const TIMEOUTS: u32 = 2;

/// Where a connection leads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Connection {
    to: ServerId,
    /// Nothing is sent before.
    ready_at: WorldTime,
    timeouts: u32,
    broken: bool,
}

impl World {
    pub(super) fn site(&self, site: u32) -> &Site {
        &self.sites[site as usize]
    }

    /// The master as a client sees it.
    pub(super) fn master_for(&self, client: u32, site: u32) -> ServerId {
        let node = self.site(site).master_for(client);
        ServerId { site, node }
    }

    /// The server that a connection leads to; one that is broken is made anew first.
    pub(super) fn connect(&mut self, wire: Wire) -> ServerId {
        let known = self.connections.get(&wire).copied();
        let (to, ready_at) = match known {
            Some(connection) if !connection.broken => return connection.to,
            Some(_) => (self.master_for(wire.client, wire.site), self.now + RECONNECT),
            None => (self.master_for(wire.client, wire.site), self.now),
        };
        self.hang_up(wire);
        let connection = Connection {
            to,
            ready_at,
            timeouts: 0,
            broken: false,
        };
        self.connections.insert(wire, connection);
        to
    }

    pub(super) fn ready_at(&self, wire: Wire) -> WorldTime {
        self.connections.get(&wire).map_or(self.now, |one| one.ready_at)
    }

    /// Whoever waits for an answer over this connection learns that none will come.
    fn hang_up(&mut self, wire: Wire) {
        let waiting = self.waiting.iter().filter(|(_, waiting)| waiting.wire == wire);
        for request in waiting.map(|(&request, _)| request).collect::<Vec<_>>() {
            self.answer(request, Err(reset()));
        }
    }

    /// What an answer says about its connection.
    pub(super) fn learn(&mut self, wire: Wire, answer: &Answer) {
        let is_replica = |resp: &Resp| matches!(resp, Resp::Error(text) if text.starts_with("READONLY"));
        let bad = match answer {
            Ok(replies) => replies.iter().any(is_replica),
            Err(_) => true,
        };
        if bad && answer.is_ok() {
            self.marks.hit("a client was told that its server is a replica");
        }
        if let Some(connection) = self.connections.get_mut(&wire) {
            connection.timeouts = 0;
            connection.broken |= bad;
        }
    }

    /// No answer came in time.
    pub(crate) fn timed_out(&mut self, wire: Wire) {
        if let Some(connection) = self.connections.get_mut(&wire) {
            connection.timeouts += 1;
            connection.broken |= connection.timeouts >= TIMEOUTS;
        }
    }

    /// Ends all connections to a server, as sentinels do where they demote one.
    pub(super) fn throw_out(&mut self, server: ServerId) {
        let of = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.to == server);
        self.leave(&of.map(|(&wire, _)| wire).collect::<Vec<_>>());
    }

    fn leave(&mut self, wires: &[Wire]) {
        for &wire in wires {
            if let Some(connection) = self.connections.get_mut(&wire) {
                connection.broken = true;
            }
            self.hang_up(wire);
        }
    }

    /// Those who listen to the sentinels leave a server that is not the master any more.
    pub(super) fn announced(&mut self, site: u32, epoch: u64) {
        if self.site(site).epoch != epoch {
            return;
        }
        let leaves = |world: &Self, client: u32, to: ServerId| {
            to.site == site && !world.deaf.contains(&client) && to != world.master_for(client, site)
        };
        let left = self.connections.iter();
        let left = left.filter(|(wire, connection)| leaves(self, wire.client, connection.to));
        self.leave(&left.map(|(&wire, _)| wire).collect::<Vec<_>>());
        let left: Vec<u64> = self.subscriptions_where(|one| leaves(self, one.wire.client, one.server));
        self.break_subscriptions_of(&left, Reconnect::Soon);
    }
}
