//! Who listens to which channel on which server.

use std::collections::BTreeMap;
use std::time::Duration;

use semafence::Wakeup;
use semafence::script::read_wakeup;
use tokio::sync::mpsc;

use super::connections::RECONNECT;
use super::{Due, Parcel, World};
use crate::history::ServerId;
use crate::network::{Direction, Link};
use crate::node::State;
use crate::trace::{Event, Wire};

/// How long a client waits before it tries again to reach a server that is down.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

pub(super) struct Subscription {
    pub(super) wire: Wire,
    pub(super) server: ServerId,
    /// That of the server when it confirmed.
    incarnation: u64,
    channel: Vec<u8>,
    sender: mpsc::UnboundedSender<Wakeup>,
    state: Listening,
}

#[derive(PartialEq, Eq)]
enum Listening {
    Broken,
    Connecting,
    Live,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reconnect {
    Later,
    Soon,
}

impl World {
    pub(crate) fn subscribe(&mut self, wire: Wire, channel: Vec<u8>, sender: mpsc::UnboundedSender<Wakeup>) -> u64 {
        self.requests += 1;
        let subscription = Subscription {
            wire,
            server: ServerId::default(),
            incarnation: 0,
            channel,
            sender,
            state: Listening::Connecting,
        };
        self.subscriptions.insert(self.requests, subscription);
        self.requests
    }

    /// A server has confirmed a subscription.
    pub(super) fn subscribed(&mut self, id: u64, server: ServerId) {
        self.listens(id, server);
        self.count_listeners();
    }

    fn listens(&mut self, id: u64, server: ServerId) -> Option<&Subscription> {
        let incarnation = self.node(server).incarnation();
        let subscription = self.subscriptions.get_mut(&id)?;
        subscription.state = Listening::Live;
        subscription.server = server;
        subscription.incarnation = incarnation;
        Some(subscription)
    }

    /// The server that has last confirmed a subscription, and in which incarnation.
    pub(crate) fn run_behind(&self, subscription: u64) -> Option<(ServerId, u64)> {
        let subscription = self.subscriptions.get(&subscription)?;
        Some((subscription.server, subscription.incarnation))
    }

    pub(crate) fn unsubscribe(&mut self, subscription: u64) {
        self.subscriptions.remove(&subscription);
        self.count_listeners();
    }

    fn count_listeners(&mut self) {
        let mut listeners = BTreeMap::<ServerId, BTreeMap<Vec<u8>, usize>>::new();
        for subscription in self.subscriptions.values().filter(|one| one.state == Listening::Live) {
            let channels = listeners.entry(subscription.server).or_default();
            *channels.entry(subscription.channel.clone()).or_insert(0) += 1;
        }
        let now = self.now;
        for node in self.sites.iter_mut().flat_map(|site| &mut site.nodes) {
            let of_node = listeners.remove(&node.id).unwrap_or_default();
            node.database(now).listeners = of_node;
        }
    }

    /// Sends what scripts have published to whoever listens.
    pub(crate) fn publish(&mut self, server: ServerId) {
        let now = self.now;
        let published = std::mem::take(&mut self.node(server).database(now).published);
        for (channel, message) in published {
            let listens =
                |one: &Subscription| one.channel == channel && one.state == Listening::Live && one.server == server;
            let to = self.subscriptions.iter().filter(|(_, one)| listens(one));
            for (subscription, wire) in to.map(|(&id, one)| (id, one.wire)).collect::<Vec<_>>() {
                let message = message.clone();
                let push = Parcel::Push {
                    from: server,
                    subscription,
                    message,
                };
                self.send(wire, Direction::Reply, push);
            }
        }
    }

    pub(super) fn push_arrives(&mut self, subscription: u64, message: Vec<u8>) {
        let Some(subscription) = self.subscriptions.get(&subscription) else {
            return;
        };
        if let Some(wakeup) = read_wakeup(&message) {
            let _gone_is_fine = subscription.sender.send(wakeup);
        }
        let wire = subscription.wire;
        self.trace.add(self.now, || Event::Pushed(wire, message));
    }

    pub(super) fn subscriptions_where(&self, chosen: impl Fn(&Subscription) -> bool) -> Vec<u64> {
        let chosen = self.subscriptions.iter().filter(|(_, one)| chosen(one));
        chosen.map(|(&id, _)| id).collect()
    }

    /// Breaks the subscriptions that `affected` chooses.
    pub(super) fn break_subscriptions(&mut self, affected: impl Fn(&Subscription) -> bool, reconnect: Reconnect) {
        let affected = self.subscriptions_where(affected);
        self.break_subscriptions_of(&affected, reconnect);
    }

    /// Breaks these subscriptions; their clients connect again after a while.
    pub(super) fn break_subscriptions_of(&mut self, affected: &[u64], reconnect: Reconnect) {
        let mut broken = Vec::new();
        for id in affected {
            if let Some(subscription) = self.subscriptions.get_mut(id)
                && subscription.state != Listening::Connecting
            {
                subscription.state = Listening::Broken;
                broken.push(*id);
            }
        }
        self.count_listeners();
        if reconnect == Reconnect::Soon {
            for id in broken {
                self.schedule(self.now + RECONNECT, Due::Reconnect(id));
            }
        }
    }

    pub(super) fn reconnect(&mut self, id: u64) {
        let Some(subscription) = self.subscriptions.get(&id) else {
            return;
        };
        let wire = subscription.wire;
        if self.way(wire, Direction::Request).cut || self.way(wire, Direction::Reply).cut {
            return; // Whoever repairs the link lets it connect again.
        }
        let server = self.master_for(wire.client, wire.site);
        if self.node(server).state != State::Up {
            return self.schedule(self.now + RECONNECT_PAUSE, Due::Reconnect(id));
        }
        if let Some(subscription) = self.listens(id, server) {
            let _gone_is_fine = subscription.sender.send(Wakeup::Missed);
        }
        self.count_listeners();
        self.marks.hit("a subscription came back after a break");
    }

    pub(crate) fn cut(&mut self, client: u32, links: &[Link], directions: &[Direction]) {
        for wire in self.wires(client, links) {
            for &direction in directions {
                self.way(wire, direction).cut = true;
            }
        }
        let affected = |one: &Subscription| one.wire.client == client && links.contains(&one.wire.link);
        self.break_subscriptions(affected, Reconnect::Later);
    }

    pub(crate) fn cut_from(&mut self, client: u32, site: u32) {
        for link in Link::ALL {
            for direction in [Direction::Request, Direction::Reply] {
                self.way(Wire { client, site, link }, direction).cut = true;
            }
        }
        let affected = |one: &Subscription| one.wire.client == client && one.wire.site == site;
        self.break_subscriptions(affected, Reconnect::Later);
    }

    pub(crate) fn mend(&mut self, client: u32, links: &[Link]) {
        for wire in self.wires(client, links) {
            for direction in [Direction::Request, Direction::Reply] {
                self.way(wire, direction).cut = false;
            }
        }
        let affected = |one: &Subscription| {
            one.wire.client == client && links.contains(&one.wire.link) && one.state == Listening::Broken
        };
        self.break_subscriptions(affected, Reconnect::Soon);
    }
}
