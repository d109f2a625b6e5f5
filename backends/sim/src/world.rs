//! One simulated world: what is under way between its processes and its server, in the order of world time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use semafence::script::read_wakeup;
use semafence::{BackendError, Failure, Outcome, Wakeup};
use tokio::sync::{mpsc, oneshot};

use crate::database::Resp;
use crate::network::{Direction, Fate, Faults, Link, Message, NoFaults, Verdict, Way};
use crate::node::{Call, Node, Persistence, State};
use crate::timeline::WorldTime;
use crate::trace::{Event, Trace, Wire};

/// How long a client needs to connect again.
const RECONNECT: Duration = Duration::from_millis(5);
/// How long a client waits before it tries again to reach a server that is down.
const RECONNECT_PAUSE: Duration = Duration::from_millis(50);

/// What a client gets to hear for a request.
pub(crate) type Answer = Result<Vec<Resp>, BackendError>;

pub(crate) struct World {
    seed: u64,
    pub(crate) now: WorldTime,
    pub(crate) node: Node,
    pub(crate) trace: Trace,
    pub(crate) faults: Box<dyn Faults>,
    pub(crate) clients: u32,
    ways: BTreeMap<(Wire, Direction), Way<Parcel>>,
    agenda: BTreeMap<(WorldTime, u64), Due>,
    scheduled: u64,
    /// Something was put on the agenda, so the driver may have to wake earlier.
    pub(crate) stirred: bool,
    requests: u64,
    waiting: BTreeMap<u64, oneshot::Sender<Answer>>,
    /// Requests that have reached a frozen server.
    backlog: Vec<(Wire, Parcel)>,
    subscriptions: BTreeMap<u64, Subscription>,
}

/// Something that will happen.
enum Due {
    Arrival(Wire, Direction, Parcel),
    Reconnect(u64),
}

/// Something that travels.
#[derive(Debug, Clone)]
pub(crate) enum Parcel {
    Push { subscription: u64, message: Vec<u8> },
    Reply { request: u64, answer: Answer },
    Request { id: u64, incarnation: u64, what: Request },
}

#[derive(Debug, Clone)]
pub(crate) enum Request {
    Calls(Arc<[Call]>),
    Subscribe(u64),
}

struct Subscription {
    wire: Wire,
    channel: Vec<u8>,
    sender: mpsc::UnboundedSender<Wakeup>,
    state: Connection,
}

#[derive(PartialEq, Eq)]
enum Connection {
    Broken,
    Connecting,
    Live,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            now: WorldTime::ZERO,
            node: Node::new(seed),
            trace: Trace::default(),
            faults: Box::new(NoFaults),
            clients: 0,
            ways: BTreeMap::new(),
            agenda: BTreeMap::new(),
            scheduled: 0,
            stirred: false,
            requests: 0,
            waiting: BTreeMap::new(),
            backlog: Vec::new(),
            subscriptions: BTreeMap::new(),
        }
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let now = self.now;
        self.trace.add(now, Event::Note(text.into()));
    }

    pub(crate) fn way(&mut self, wire: Wire, direction: Direction) -> &mut Way<Parcel> {
        self.ways.entry((wire, direction)).or_default()
    }

    /// Sends a request; its number, and where its answer will come. An answer that is lost never comes.
    pub(crate) fn ask(&mut self, wire: Wire, what: Request) -> (u64, oneshot::Receiver<Answer>) {
        self.requests += 1;
        let id = self.requests;
        let (sender, receiver) = oneshot::channel();
        self.waiting.insert(id, sender);
        let incarnation = self.node.incarnation();
        self.send(wire, Direction::Request, Parcel::Request { id, incarnation, what });
        (id, receiver)
    }

    /// Nobody waits for this answer any more. The request itself goes its way.
    pub(crate) fn give_up(&mut self, request: u64) {
        self.waiting.remove(&request);
    }

    pub(crate) fn subscribe(&mut self, wire: Wire, channel: Vec<u8>, sender: mpsc::UnboundedSender<Wakeup>) -> u64 {
        self.requests += 1;
        let subscription = Subscription {
            wire,
            channel,
            sender,
            state: Connection::Connecting,
        };
        self.subscriptions.insert(self.requests, subscription);
        self.requests
    }

    pub(crate) fn unsubscribe(&mut self, subscription: u64) {
        self.subscriptions.remove(&subscription);
        self.count_listeners();
    }

    fn count_listeners(&mut self) {
        let mut listeners = BTreeMap::new();
        for subscription in self.subscriptions.values().filter(|one| one.state == Connection::Live) {
            *listeners.entry(subscription.channel.clone()).or_insert(0) += 1;
        }
        self.node.database(self.now).listeners = listeners;
    }

    fn schedule(&mut self, at: WorldTime, due: Due) {
        self.scheduled += 1;
        self.stirred = true;
        self.agenda.insert((at, self.scheduled), due);
    }

    fn send(&mut self, wire: Wire, direction: Direction, parcel: Parcel) {
        let (number, fate) = self.way(wire, direction).next();
        match fate {
            Fate::Lost => return self.lose(wire, direction, number),
            Fate::Held => return self.way(wire, direction).held.push(parcel),
            Fate::Travels => {}
        }
        let message = Message {
            at: self.now,
            client: wire.client,
            link: wire.link,
            direction,
            number,
        };
        let arrival = self.arrival(wire, direction, number);
        match self.faults.judge(&message) {
            Verdict::Deliver => self.travel(wire, direction, arrival, parcel),
            Verdict::Delay(by) => self.schedule(arrival + by, Due::Arrival(wire, direction, parcel)),
            Verdict::Drop => self.lose(wire, direction, number),
            Verdict::Duplicate(after) => {
                self.travel(wire, direction, arrival, parcel.clone());
                self.schedule(arrival + after, Due::Arrival(wire, direction, parcel));
            }
            Verdict::Hold => self.way(wire, direction).held.push(parcel),
        }
    }

    fn arrival(&mut self, wire: Wire, direction: Direction, number: u64) -> WorldTime {
        let path = [u64::from(wire.client), wire.link as u64, direction as u64, number];
        let (seed, now) = (self.seed, self.now);
        now + self.way(wire, direction).latency(seed, path)
    }

    fn travel(&mut self, wire: Wire, direction: Direction, arrival: WorldTime, parcel: Parcel) {
        let arrival = self.way(wire, direction).in_order(arrival);
        self.schedule(arrival, Due::Arrival(wire, direction, parcel));
    }

    fn lose(&mut self, wire: Wire, direction: Direction, number: u64) {
        let now = self.now;
        self.trace.add(now, Event::Lost(wire, direction, number));
    }

    /// Lets go of what a way holds back; it all arrives, in order, from now on.
    pub(crate) fn deliver(&mut self, wire: Wire, direction: Direction) {
        let way = self.way(wire, direction);
        way.holding = false;
        for parcel in std::mem::take(&mut way.held) {
            let (number, _) = self.way(wire, direction).next();
            let arrival = self.arrival(wire, direction, number);
            self.travel(wire, direction, arrival, parcel);
        }
    }

    /// When the next thing is due.
    pub(crate) fn next(&self) -> Option<WorldTime> {
        self.agenda.first_key_value().map(|(&(at, _), _)| at)
    }

    /// Lets everything happen that is due by `until`, in order, each at its own time.
    pub(crate) fn work(&mut self, until: WorldTime) {
        while let Some(entry) = self.agenda.first_entry()
            && entry.key().0 <= until
        {
            let ((at, _), due) = entry.remove_entry();
            self.now = self.now.max(at);
            match due {
                Due::Arrival(wire, direction, parcel) => self.arrive(wire, direction, parcel),
                Due::Reconnect(subscription) => self.reconnect(subscription),
            }
        }
        self.now = self.now.max(until);
    }

    fn arrive(&mut self, wire: Wire, direction: Direction, parcel: Parcel) {
        if self.way(wire, direction).cut {
            return self.lose(wire, direction, 0);
        }
        match parcel {
            Parcel::Push { subscription, message } => self.push_arrives(subscription, message),
            Parcel::Reply { request, answer } => self.answer(request, answer),
            Parcel::Request { id, incarnation, what } => match self.node.state {
                State::Frozen => self.backlog.push((wire, Parcel::Request { id, incarnation, what })),
                State::Down => self.answer(id, Err(refused())),
                State::Up if incarnation != self.node.incarnation() => self.answer(id, Err(reset())),
                State::Up => {
                    let answer = Ok(self.serve(wire, what));
                    self.send(wire, Direction::Reply, Parcel::Reply { request: id, answer });
                }
            },
        }
    }

    fn answer(&mut self, request: u64, answer: Answer) {
        if let Some(waiting) = self.waiting.remove(&request) {
            // A client that has gone away needs no answer.
            let _gone_is_fine = waiting.send(answer);
        }
    }

    fn serve(&mut self, wire: Wire, what: Request) -> Vec<Resp> {
        match what {
            Request::Subscribe(id) => {
                if let Some(subscription) = self.subscriptions.get_mut(&id) {
                    subscription.state = Connection::Live;
                }
                self.count_listeners();
                Vec::new()
            }
            Request::Calls(calls) => {
                let now = self.now;
                let replies: Vec<Resp> = calls.iter().map(|call| self.node.execute(now, call)).collect();
                self.trace.add(now, Event::Ran(wire, calls, replies.clone()));
                self.publish();
                replies
            }
        }
    }

    /// Sends what scripts have published to whoever listens.
    pub(crate) fn publish(&mut self) {
        let published = std::mem::take(&mut self.node.database(self.now).published);
        for (channel, message) in published {
            let listens = |one: &Subscription| one.channel == channel && one.state == Connection::Live;
            let to: Vec<_> = self
                .subscriptions
                .iter()
                .filter(|(_, one)| listens(one))
                .map(|(&id, one)| (id, one.wire))
                .collect();
            for (subscription, wire) in to {
                let message = message.clone();
                self.send(wire, Direction::Reply, Parcel::Push { subscription, message });
            }
        }
    }

    fn push_arrives(&mut self, subscription: u64, message: Vec<u8>) {
        let Some(subscription) = self.subscriptions.get(&subscription) else {
            return;
        };
        if let Some(wakeup) = read_wakeup(&message) {
            let _gone_is_fine = subscription.sender.send(wakeup);
        }
        self.trace.add(self.now, Event::Pushed(subscription.wire, message));
    }

    /// Breaks the subscriptions that `affected` chooses; their clients connect again after a while.
    fn break_subscriptions(&mut self, affected: impl Fn(&Subscription) -> bool, reconnect: Reconnect) {
        let mut broken = Vec::new();
        for (&id, subscription) in &mut self.subscriptions {
            if affected(subscription) && subscription.state != Connection::Connecting {
                subscription.state = Connection::Broken;
                broken.push(id);
            }
        }
        self.count_listeners();
        if reconnect == Reconnect::Soon {
            for id in broken {
                self.schedule(self.now + RECONNECT, Due::Reconnect(id));
            }
        }
    }

    fn reconnect(&mut self, id: u64) {
        let Some(subscription) = self.subscriptions.get(&id) else {
            return;
        };
        let wire = subscription.wire;
        if self.way(wire, Direction::Request).cut || self.way(wire, Direction::Reply).cut {
            return; // Whoever repairs the link lets it connect again.
        }
        if self.node.state != State::Up {
            return self.schedule(self.now + RECONNECT_PAUSE, Due::Reconnect(id));
        }
        let subscription = self.subscriptions.get_mut(&id).expect("it was there a moment ago");
        subscription.state = Connection::Live;
        let _gone_is_fine = subscription.sender.send(Wakeup::Missed);
        self.count_listeners();
    }

    pub(crate) fn cut(&mut self, client: u32, links: &[Link], directions: &[Direction]) {
        for wire in wires(client, links) {
            for &direction in directions {
                self.way(wire, direction).cut = true;
            }
        }
        let affected = |one: &Subscription| one.wire.client == client && links.contains(&one.wire.link);
        self.break_subscriptions(affected, Reconnect::Later);
    }

    pub(crate) fn mend(&mut self, client: u32, links: &[Link]) {
        for wire in wires(client, links) {
            for direction in [Direction::Request, Direction::Reply] {
                self.way(wire, direction).cut = false;
            }
        }
        let affected = |one: &Subscription| {
            one.wire.client == client && links.contains(&one.wire.link) && one.state == Connection::Broken
        };
        self.break_subscriptions(affected, Reconnect::Soon);
    }

    pub(crate) fn crash(&mut self) {
        self.node.crash();
        self.drop_backlog();
        self.break_subscriptions(|_| true, Reconnect::Soon);
    }

    pub(crate) fn restart(&mut self, persistence: Persistence) {
        let was_down = self.node.state == State::Down;
        self.node.restart(persistence);
        self.drop_backlog();
        if !was_down {
            self.break_subscriptions(|_| true, Reconnect::Soon);
        }
    }

    fn drop_backlog(&mut self) {
        for (_, parcel) in std::mem::take(&mut self.backlog) {
            if let Parcel::Request { id, .. } = parcel {
                self.answer(id, Err(reset()));
            }
        }
    }

    pub(crate) fn thaw(&mut self) {
        if self.node.state == State::Frozen {
            self.node.state = State::Up;
        }
        for (wire, parcel) in std::mem::take(&mut self.backlog) {
            self.schedule(self.now, Due::Arrival(wire, Direction::Request, parcel));
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reconnect {
    Later,
    Soon,
}

fn wires(client: u32, links: &[Link]) -> impl Iterator<Item = Wire> {
    links.iter().map(move |&link| Wire { client, link })
}

fn refused() -> BackendError {
    BackendError::new(Failure::Transient, Outcome::NotApplied, "connection refused")
}

fn reset() -> BackendError {
    BackendError::new(Failure::Transient, Outcome::Unknown, "connection reset by peer")
}
