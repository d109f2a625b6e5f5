//! One simulated world: what is under way between its processes and its servers, in the order of world time.

mod connections;
mod records;
mod replication;
mod subscriptions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use semafence::{BackendError, Failure, HolderId, Outcome};
use tokio::sync::oneshot;

use crate::database::{Effect, Resp};
use crate::history::{Record, Recorder, ServerId, What};
use crate::interpreter::sha1;
use crate::marks::Marks;
use crate::network::{Direction, Fate, Faults, Link, Message, NoFaults, Verdict, Way};
use crate::node::{Call, Node, Persistence, State};
use crate::run::TIME_LIMIT;
use crate::scripts::Scripts;
use crate::site::Site;
use crate::timeline::WorldTime;
use crate::trace::{Event, Trace, Wire};
use connections::Connection;
use replication::Acknowledgement;
use subscriptions::Subscription;

/// What a client gets to hear for a request.
pub(crate) type Answer = Result<Vec<Resp>, BackendError>;

pub(crate) struct World {
    seed: u64,
    pub(crate) now: WorldTime,
    /// How long a scenario may take.
    pub(crate) time_limit: WorldTime,
    pub(crate) sites: Vec<Site>,
    pub(crate) scripts: Scripts,
    pub(crate) trace: Trace,
    pub(crate) marks: Marks,
    pub(crate) faults: Box<dyn Faults>,
    pub(crate) clients: u32,
    /// Who does not hear of a failover.
    pub(crate) deaf: BTreeSet<u32>,
    pub(crate) recorder: Option<Recorder>,
    /// What the recorder was last told, by server and state key.
    records: BTreeMap<(ServerId, Vec<u8>), Record>,
    /// The generation that each master was last seen in.
    generations: BTreeMap<ServerId, Vec<u8>>,
    /// Which process asked for a holder.
    askers: BTreeMap<HolderId, u32>,
    ways: BTreeMap<(Wire, Direction), Way<Parcel>>,
    connections: BTreeMap<Wire, Connection>,
    agenda: BTreeMap<(WorldTime, u64), Due>,
    scheduled: u64,
    /// Something was put on the agenda, so the driver may have to wake earlier.
    pub(crate) stirred: bool,
    requests: u64,
    waiting: BTreeMap<u64, Waiting>,
    /// Requests that have reached a frozen server.
    backlog: Vec<(Wire, Parcel)>,
    subscriptions: BTreeMap<u64, Subscription>,
    acknowledgements: Vec<Acknowledgement>,
    /// How far a server was, and in which incarnation, when a connection last wrote to it.
    written: BTreeMap<Wire, (ServerId, u64, u64)>,
}

/// Who waits for an answer.
struct Waiting {
    wire: Wire,
    sender: oneshot::Sender<Answer>,
}

/// Something that will happen.
enum Due {
    Acked {
        replica: ServerId,
        connection: u64,
        offset: u64,
    },
    Announced {
        site: u32,
        epoch: u64,
    },
    Arrival(Wire, Direction, Parcel),
    Impatience {
        request: u64,
    },
    Reconnect(u64),
    Resync {
        replica: ServerId,
        connection: u64,
    },
    Stream {
        replica: ServerId,
        connection: u64,
        effects: Arc<[Effect]>,
    },
}

/// Something that travels.
#[derive(Debug, Clone)]
pub(crate) enum Parcel {
    Push {
        from: ServerId,
        subscription: u64,
        message: Vec<u8>,
    },
    Reply {
        from: ServerId,
        request: u64,
        answer: Answer,
    },
    Request {
        id: u64,
        to: ServerId,
        incarnation: u64,
        what: Request,
    },
}

impl Parcel {
    /// The server at the other end.
    fn server(&self) -> ServerId {
        match self {
            Self::Push { from, .. } | Self::Reply { from, .. } => *from,
            Self::Request { to, .. } => *to,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum Request {
    Calls(Arc<[Call]>),
    Subscribe(u64),
}

impl World {
    pub(crate) fn new(seed: u64, sites: Vec<Site>) -> Self {
        let count = u32::try_from(sites.len()).expect("sites are few");
        let mut world = Self {
            seed,
            now: WorldTime::ZERO,
            time_limit: TIME_LIMIT,
            sites,
            scripts: Scripts::default(),
            trace: Trace::default(),
            marks: Marks::default(),
            faults: Box::new(NoFaults),
            clients: 0,
            deaf: BTreeSet::new(),
            recorder: None,
            records: BTreeMap::new(),
            generations: BTreeMap::new(),
            askers: BTreeMap::new(),
            ways: BTreeMap::new(),
            connections: BTreeMap::new(),
            agenda: BTreeMap::new(),
            scheduled: 0,
            stirred: false,
            requests: 0,
            waiting: BTreeMap::new(),
            backlog: Vec::new(),
            subscriptions: BTreeMap::new(),
            acknowledgements: Vec::new(),
            written: BTreeMap::new(),
        };
        (0..count).for_each(|site| world.count_replicas(site));
        world
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        let now = self.now;
        self.trace.add(now, || Event::Note(text.into()));
    }

    /// Tells the recorder, if there is one.
    pub(crate) fn tell(&mut self, what: What) {
        if let Some(recorder) = &self.recorder {
            recorder.add(self.now, what);
        }
    }

    pub(crate) fn node(&mut self, id: ServerId) -> &mut Node {
        &mut self.sites[id.site as usize].nodes[id.node as usize]
    }

    pub(crate) fn way(&mut self, wire: Wire, direction: Direction) -> &mut Way<Parcel> {
        self.ways.entry((wire, direction)).or_default()
    }

    /// The connections of a process to every site.
    pub(crate) fn wires(&self, client: u32, links: &[Link]) -> Vec<Wire> {
        let sites = 0..u32::try_from(self.sites.len()).expect("sites are few");
        let wires = sites.flat_map(|site| links.iter().map(move |&link| Wire { client, site, link }));
        wires.collect()
    }

    /// Sends a request; its number, and where its answer will come. An answer that is lost never comes.
    pub(crate) fn ask(&mut self, wire: Wire, what: Request) -> (u64, oneshot::Receiver<Answer>) {
        self.requests += 1;
        let id = self.requests;
        let (sender, receiver) = oneshot::channel();
        let to = self.connect(wire);
        self.waiting.insert(id, Waiting { wire, sender });
        let incarnation = self.node(to).incarnation();
        self.send(
            wire,
            Direction::Request,
            Parcel::Request {
                id,
                to,
                incarnation,
                what,
            },
        );
        (id, receiver)
    }

    /// Nobody waits for this answer any more. The request itself goes its way.
    pub(crate) fn give_up(&mut self, request: u64) {
        self.waiting.remove(&request);
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
            site: wire.site,
            link: wire.link,
            direction,
            number,
        };
        let arrival = self.arrival(wire, direction, number);
        match self.faults.judge(&message) {
            Verdict::Deliver => self.travel(wire, direction, arrival, parcel),
            Verdict::Delay(by) => {
                self.marks.hit("a message came late and was passed by later ones");
                self.schedule(arrival + by, Due::Arrival(wire, direction, parcel));
            }
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
        let seed = self.seed ^ u64::from(wire.site);
        let start = self.ready_at(wire).max(self.now);
        start + self.way(wire, direction).latency(seed, path)
    }

    fn travel(&mut self, wire: Wire, direction: Direction, arrival: WorldTime, parcel: Parcel) {
        let arrival = self.way(wire, direction).in_order(arrival);
        self.schedule(arrival, Due::Arrival(wire, direction, parcel));
    }

    fn lose(&mut self, wire: Wire, direction: Direction, number: u64) {
        let now = self.now;
        self.marks.hit(match (wire.link, direction) {
            (Link::Push, Direction::Reply) => "a push was lost",
            (_, Direction::Reply) => "a reply was lost after its request had run",
            (_, Direction::Request) => "a request was lost",
        });
        self.trace.add(now, || Event::Lost(wire, direction, number));
    }

    /// Lets go of what a way holds back; it all arrives, in order, from now on.
    pub(crate) fn deliver(&mut self, wire: Wire, direction: Direction) {
        let way = self.way(wire, direction);
        way.holding = false;
        for parcel in std::mem::take(&mut way.held) {
            if let Parcel::Request { id, .. } = &parcel
                && !self.waiting.contains_key(id)
            {
                self.marks.hit("a zombie request arrived");
            }
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
                Due::Acked {
                    replica,
                    connection,
                    offset,
                } => self.acked(replica, connection, offset),
                Due::Announced { site, epoch } => self.announced(site, epoch),
                Due::Arrival(wire, direction, parcel) => self.arrive(wire, direction, parcel),
                Due::Impatience { request } => self.no_more_waiting(request),
                Due::Reconnect(subscription) => self.reconnect(subscription),
                Due::Resync { replica, connection } => self.resync(replica, connection),
                Due::Stream {
                    replica,
                    connection,
                    effects,
                } => self.stream(replica, connection, &effects),
            }
        }
        self.now = self.now.max(until);
    }

    fn arrive(&mut self, wire: Wire, direction: Direction, parcel: Parcel) {
        if self.way(wire, direction).cut || !self.site(wire.site).joins(wire.client, parcel.server().node) {
            return self.lose(wire, direction, 0);
        }
        match parcel {
            Parcel::Push {
                subscription, message, ..
            } => self.push_arrives(subscription, message),
            Parcel::Reply { request, answer, .. } => self.answer(request, answer),
            Parcel::Request {
                id,
                to,
                incarnation,
                what,
            } => self.request_arrives(wire, id, to, incarnation, what),
        }
    }

    fn request_arrives(&mut self, wire: Wire, id: u64, to: ServerId, incarnation: u64, what: Request) {
        let node = self.node(to);
        match node.state {
            State::Frozen => {
                let request = Parcel::Request {
                    id,
                    to,
                    incarnation,
                    what,
                };
                self.backlog.push((wire, request));
            }
            State::Down => self.answer(id, Err(refused())),
            State::Up if incarnation != node.incarnation() => self.answer(id, Err(reset())),
            State::Up => self.serve(wire, id, to, what),
        }
    }

    fn answer(&mut self, request: u64, answer: Answer) {
        let Some(Waiting { wire, sender }) = self.waiting.remove(&request) else {
            return;
        };
        self.learn(wire, &answer);
        // A client that has gone away needs no answer.
        let _gone_is_fine = sender.send(answer);
    }

    fn reply(&mut self, wire: Wire, from: ServerId, request: u64, replies: Vec<Resp>) {
        let answer = Ok(replies);
        self.send(wire, Direction::Reply, Parcel::Reply { from, request, answer });
    }

    fn serve(&mut self, wire: Wire, id: u64, server: ServerId, what: Request) {
        match what {
            Request::Subscribe(subscription) => {
                self.subscribed(subscription, server);
                self.reply(wire, server, id, Vec::new());
            }
            Request::Calls(calls) => {
                let (calls, wait) = Acknowledgement::split(calls);
                let before = self.node(server).offset;
                let replies: Vec<Resp> = calls.iter().map(|call| self.run(server, call)).collect();
                let node = self.node(server);
                let (incarnation, offset) = (node.incarnation(), node.offset);
                if offset != before {
                    self.written.insert(wire, (server, incarnation, offset));
                }
                self.remember(wire, server, &calls, &replies);
                let now = self.now;
                if !calls.is_empty() {
                    self.trace.add(now, || Event::Ran(wire, calls, replies.clone()));
                }
                self.publish(server);
                match wait {
                    Some(wait) => self.wait(wire, id, server, wait, replies),
                    None => self.reply(wire, server, id, replies),
                }
            }
        }
    }

    /// Runs one call on a server and lets its replicas know.
    pub(crate) fn run(&mut self, server: ServerId, call: &Call) -> Resp {
        self.judge_replicas(server);
        let now = self.now;
        let node = &mut self.sites[server.site as usize].nodes[server.node as usize];
        let resp = node.execute(now, &mut self.scripts, call);
        self.replicate(server);
        resp
    }

    /// Runs a text that is no shipped script.
    pub(crate) fn eval(&mut self, server: ServerId, source: &str, keys: &Arc<[Vec<u8>]>, args: &[Vec<u8>]) -> Resp {
        let now = self.now;
        let node = &mut self.sites[server.site as usize].nodes[server.node as usize];
        let resp = node.eval(now, &sha1(source.as_bytes()), source, keys, args);
        self.replicate(server);
        resp
    }

    pub(crate) fn crash(&mut self, server: ServerId) {
        self.node(server).crash();
        self.set_state(server, State::Down);
        self.drop_backlog(server);
        self.break_subscriptions(|one| one.server == server, subscriptions::Reconnect::Soon);
    }

    pub(crate) fn restart(&mut self, server: ServerId, persistence: Persistence) {
        let was_down = self.node(server).state == State::Down;
        let lost = persistence != Persistence::Kept && self.node(server).following.is_none();
        if lost && persistence == Persistence::Saved && self.node(server).has_older_data() {
            self.marks.hit("a master came back with older data");
        }
        self.node(server).restart(persistence);
        self.set_state(server, State::Up);
        self.drop_backlog(server);
        if !was_down {
            self.break_subscriptions(|one| one.server == server, subscriptions::Reconnect::Soon);
        }
        if lost {
            self.drop_waits(server);
            self.forgot(server, true);
        }
        self.rejoin(server);
    }

    fn drop_backlog(&mut self, server: ServerId) {
        let (dropped, kept) = std::mem::take(&mut self.backlog)
            .into_iter()
            .partition(|(_, parcel): &(Wire, Parcel)| parcel.server() == server);
        self.backlog = kept;
        for (_, parcel) in Vec::from_iter::<Vec<_>>(dropped) {
            if let Parcel::Request { id, .. } = parcel {
                self.answer(id, Err(reset()));
            }
        }
    }

    pub(crate) fn thaw(&mut self, server: ServerId) {
        if self.node(server).state == State::Frozen {
            self.set_state(server, State::Up);
        }
        let (arrived, kept) = std::mem::take(&mut self.backlog)
            .into_iter()
            .partition(|(_, parcel): &(Wire, Parcel)| parcel.server() == server);
        self.backlog = kept;
        for (wire, parcel) in Vec::from_iter::<Vec<_>>(arrived) {
            self.schedule(self.now, Due::Arrival(wire, Direction::Request, parcel));
        }
        self.catch_up(server);
    }
}

fn refused() -> BackendError {
    BackendError::new(Failure::Transient, Outcome::NotApplied, "connection refused")
}

fn reset() -> BackendError {
    BackendError::new(Failure::Transient, Outcome::Unknown, "connection reset by peer")
}
