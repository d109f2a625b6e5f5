//! Asynchronous replication, promotion, and what a promoted replica does not know.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::subscriptions::Reconnect;
use super::{Due, World, reset};
use crate::database::{Effect, Resp};
use crate::history::{ServerId, What};
use crate::node::{Call, Following, State};
use crate::number::parse_integer;
use crate::random::draw;
use crate::site::Split;
use crate::trace::{Event, Wire};

/// How long a replica needs to copy all data of its master.
const RESYNC: Duration = Duration::from_millis(20);
/// A replica acknowledges once a second, so its master learns so late that it is gone.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// A client that waits for replicas: `WAIT`, at the end of what it has sent.
pub(super) struct Acknowledgement {
    wire: Wire,
    request: u64,
    server: ServerId,
    /// Of what its connection wrote last.
    offset: u64,
    wanted: usize,
    /// To what it sent before.
    replies: Vec<Resp>,
    call: Call,
}

/// What `WAIT` asks for: how many replicas, and how long to wait for them.
pub(super) type Wanted = (usize, Duration);

impl Acknowledgement {
    /// The `WAIT` at the end of what is sent, if there is one, and what is before it.
    pub(super) fn split(calls: Arc<[Call]>) -> (Arc<[Call]>, Option<(Call, Wanted)>) {
        let Some((last, before)) = calls.split_last() else {
            return (calls, None);
        };
        match Self::asked_for(last) {
            Some(wanted) => (before.into(), Some((last.clone(), wanted))),
            None => (calls, None),
        }
    }

    /// What is asked for, if a call is a `WAIT`.
    fn asked_for(call: &Call) -> Option<Wanted> {
        let Call::Command(words) = call else { return None };
        let [name, wanted, timeout_ms] = words.as_slice() else {
            return None;
        };
        let number = |word: &[u8]| parse_integer(word).and_then(|number| u64::try_from(number).ok());
        let is_wait = name.eq_ignore_ascii_case(b"wait");
        let wanted = usize::try_from(number(wanted).filter(|_| is_wait)?).ok()?;
        Some((wanted, Duration::from_millis(number(timeout_ms)?)))
    }
}

impl World {
    /// The replicas of a server that are connected to it.
    fn replicas(&self, master: ServerId) -> impl Iterator<Item = (ServerId, Following)> + '_ {
        let follows = move |following: &Following| following.master == master.node;
        let nodes = self.site(master.site).nodes.iter();
        nodes.filter_map(move |node| Some((node.id, node.following.filter(follows)?)))
    }

    /// Sends what a master has just changed to its replicas.
    pub(super) fn replicate(&mut self, master: ServerId) {
        if self.site(master.site).nodes.len() == 1 {
            return;
        }
        let effects: Arc<[Effect]> = self.node(master).take_effects().into();
        if effects.is_empty() || self.node(master).following.is_some() {
            return;
        }
        let connected: Vec<_> = self
            .replicas(master)
            .filter(|(_, following)| following.cut_since.is_none())
            .collect();
        for (replica, following) in connected {
            let arrival = (self.now + following.lag).max(following.last_arrival);
            if let Some(following) = &mut self.node(replica).following {
                following.last_arrival = arrival;
            }
            let (connection, effects) = (following.connection, Arc::clone(&effects));
            self.schedule(
                arrival,
                Due::Stream {
                    replica,
                    connection,
                    effects,
                },
            );
        }
    }

    /// A replica hears what its master has changed.
    pub(super) fn stream(&mut self, replica: ServerId, connection: u64, effects: &Arc<[Effect]>) {
        let now = self.now;
        let node = self.node(replica);
        let Some(following) = node
            .following
            .filter(|one| one.connection == connection && one.cut_since.is_none())
        else {
            return;
        };
        match node.state {
            State::Down => {}
            State::Frozen => node.stalled.push((connection, Arc::clone(effects))),
            State::Up => {
                node.database(now);
                node.repeat(effects);
                let offset = node.offset;
                self.schedule(
                    now + following.lag,
                    Due::Acked {
                        replica,
                        connection,
                        offset,
                    },
                );
            }
        }
    }

    /// A replica that stood still goes on with what has arrived meanwhile.
    pub(super) fn catch_up(&mut self, server: ServerId) {
        for (connection, effects) in std::mem::take(&mut self.node(server).stalled) {
            self.stream(server, connection, &effects);
        }
    }

    pub(super) fn acked(&mut self, replica: ServerId, connection: u64, offset: u64) {
        let Some(following) = &mut self.node(replica).following else {
            return;
        };
        if following.connection != connection || following.cut_since.is_some() {
            return;
        }
        following.acked = following.acked.max(offset);
        let done: Vec<u64> = self
            .acknowledgements
            .iter()
            .filter(|wait| self.acks(wait) >= wait.wanted)
            .map(|wait| wait.request)
            .collect();
        done.into_iter().for_each(|request| self.no_more_waiting(request));
    }

    fn acks(&self, wait: &Acknowledgement) -> usize {
        let has = |following: &Following| following.cut_since.is_none() && following.acked >= wait.offset;
        self.replicas(wait.server)
            .filter(|(_, following)| has(following))
            .count()
    }

    /// `WAIT`: answers once enough replicas have what this connection wrote, or the time is up. As newer servers, it does
    /// not wait for what others wrote.
    pub(super) fn wait(
        &mut self,
        wire: Wire,
        request: u64,
        server: ServerId,
        (call, (wanted, timeout)): (Call, Wanted),
        replies: Vec<Resp>,
    ) {
        let incarnation = self.node(server).incarnation();
        let written = self
            .written
            .get(&wire)
            .filter(|written| (written.0, written.1) == (server, incarnation));
        let wait = Acknowledgement {
            wire,
            request,
            server,
            offset: written.map_or(0, |written| written.2),
            wanted,
            replies,
            call,
        };
        let enough = self.acks(&wait) >= wanted;
        self.acknowledgements.push(wait);
        match (enough, timeout) {
            (true, _) => self.no_more_waiting(request),
            (false, Duration::ZERO) => {} // For ever.
            (false, timeout) => self.schedule(self.now + timeout, Due::Impatience { request }),
        }
    }

    pub(super) fn no_more_waiting(&mut self, request: u64) {
        let Some(index) = self.acknowledgements.iter().position(|wait| wait.request == request) else {
            return;
        };
        let wait = self.acknowledgements.swap_remove(index);
        let acks = self.acks(&wait);
        self.marks.hit("a grant waited for replicas");
        if acks < wait.wanted {
            self.marks.hit("too few replicas acknowledged in time");
        }
        let (now, count) = (self.now, Resp::count(acks));
        self.trace
            .add(now, || Event::Ran(wait.wire, [wait.call].into(), vec![count.clone()]));
        let mut replies = wait.replies;
        replies.push(count);
        self.reply(wait.wire, wait.server, request, replies);
    }

    /// Nobody waits any more for replicas to have what this server has lost; what it counts from now on is something else.
    pub(super) fn drop_waits(&mut self, server: ServerId) {
        let (dropped, kept) = std::mem::take(&mut self.acknowledgements)
            .into_iter()
            .partition(|wait| wait.server == server);
        self.acknowledgements = kept;
        for wait in Vec::from_iter::<Vec<_>>(dropped) {
            self.answer(wait.request, Err(reset()));
        }
    }

    /// Whether a master has heard of enough replicas lately to take writes: `min-replicas-to-write`.
    pub(super) fn judge_replicas(&mut self, master: ServerId) {
        let now = self.now;
        let Some((wanted, lag)) = self.node(master).min_replicas else {
            return;
        };
        if self.node(master).following.is_some() {
            return;
        }
        let states: Vec<_> = self.replicas(master).collect();
        let heard_of = |&&(replica, following): &&(ServerId, Following)| {
            let silent_since = following.cut_since.or(self.node_ref(replica).silent_since);
            silent_since.is_none_or(|since| now <= since + lag + HEARTBEAT)
        };
        let enough = states.iter().filter(heard_of).count() >= wanted;
        self.node(master).database(now).read_only = if enough {
            None
        } else {
            self.marks.hit("a master without enough replicas refused a write");
            Some("NOREPLICAS Not enough good replicas to write.")
        };
    }

    /// Cuts the connection of a replica to its master: what is under way is lost, a copy of all data as well.
    pub(crate) fn cut_replica(&mut self, replica: ServerId) {
        let now = self.now;
        let site = &mut self.sites[replica.site as usize];
        site.connections += 1;
        let connection = site.connections;
        if let Some(following) = &mut self.node(replica).following {
            following.cut_since.get_or_insert(now);
            following.connection = connection;
        }
        self.count_replicas(replica.site);
    }

    /// A replica connects to the master of its site, unless it cannot reach it.
    pub(crate) fn rejoin(&mut self, replica: ServerId) {
        let master = self.site(replica.site).master;
        if replica.node == master {
            return self.followers_rejoin(replica);
        }
        if self.node(replica).following.is_none() && self.node(replica).state == State::Up && !self.was_told(replica) {
            return; // A master that has not heard yet that it is none.
        }
        let site = &mut self.sites[replica.site as usize];
        site.connections += 1;
        let connection = site.connections;
        let now = self.now;
        let following = Following {
            cut_since: Some(now),
            ..Following::new(master, connection)
        };
        self.node(replica).follow(following);
        self.schedule(now + RESYNC, Due::Resync { replica, connection });
        self.count_replicas(replica.site);
    }

    /// A server that starts again asks the sentinels what it is.
    fn was_told(&self, server: ServerId) -> bool {
        let split = &self.site(server.site).split;
        split.as_ref().is_none_or(|split| split.master != server.node)
    }

    /// The replicas of a master that has started again connect to it.
    fn followers_rejoin(&mut self, master: ServerId) {
        let followers: Vec<ServerId> = self.replicas(master).map(|(replica, _)| replica).collect();
        followers.into_iter().for_each(|replica| self.rejoin(replica));
    }

    /// A replica takes over all data of its master.
    pub(super) fn resync(&mut self, replica: ServerId, connection: u64) {
        let now = self.now;
        let node = self.node_ref(replica);
        let Some(following) = node.following.filter(|one| one.connection == connection) else {
            return;
        };
        let master = ServerId {
            site: replica.site,
            node: following.master,
        };
        let reachable = self.site(replica.site).links(replica.node, master.node);
        if !reachable || node.state != State::Up || self.node_ref(master).state != State::Up {
            return self.schedule(now + RESYNC, Due::Resync { replica, connection });
        }
        let nodes = &mut self.sites[replica.site as usize].nodes;
        let (copied, copy) = pair(nodes, master.node as usize, replica.node as usize);
        copy.copy(copied);
        copy.stalled.clear();
        copy.following = Some(Following {
            cut_since: None,
            acked: copied.offset,
            ..following
        });
        self.count_replicas(replica.site);
    }

    pub(super) fn count_replicas(&mut self, site: u32) {
        let now = self.now;
        let ids: Vec<ServerId> = self.site(site).nodes.iter().map(|node| node.id).collect();
        for id in ids {
            let count = self
                .replicas(id)
                .filter(|(_, following)| following.cut_since.is_none())
                .count();
            let has_replicas = self.site(site).nodes.len() > 1;
            let database = self.node(id).database(now);
            database.replicas = count;
            database.has_replicas = has_replicas && !database.keys.follows;
        }
    }

    fn node_ref(&self, id: ServerId) -> &crate::node::Node {
        &self.site(id.site).nodes[id.node as usize]
    }

    /// The replica that sentinels would promote: the one that has come furthest among those that run and are reachable.
    pub(crate) fn successor(&self, site: u32) -> Option<u32> {
        let old = self.site(site).master;
        let nodes = self.site(site).nodes.iter();
        let able = nodes.filter(|node| node.id.node != old && node.state == State::Up && node.following.is_some());
        let ahead = able.max_by_key(|node| (node.offset, std::cmp::Reverse(node.id.node)));
        ahead.map(|node| node.id.node)
    }

    /// Makes a replica the master of its site. The old one goes on as it is until it is told: [`demote`](Self::demote).
    pub(crate) fn promote(&mut self, server: ServerId) {
        let old = ServerId {
            node: self.site(server.site).master,
            ..server
        };
        let forgot = !self.node_ref(server).knows_all_of(self.node_ref(old));
        self.node(server).lead();
        let site = &mut self.sites[server.site as usize];
        site.master = server.node;
        site.epoch += 1;
        let epoch = site.epoch;
        self.marks.hit(if forgot {
            "a failover lost writes"
        } else {
            "a failover lost nothing"
        });
        self.tell(What::Promoted { server, epoch, forgot });
        if self.node(old).state == State::Down {
            self.tell(What::Demoted { server: old });
        }
        self.count_replicas(server.site);
        self.record_all(server);
        let others: Vec<ServerId> = self.site(server.site).nodes.iter().map(|node| node.id).collect();
        for other in others {
            if other != server && other != old && self.node(other).following.is_some() {
                self.rejoin(other);
            }
        }
        let delay = Duration::from_micros(1_000 + draw(self.seed, &[0xa11, u64::from(server.site), epoch]) % 4_000);
        self.schedule(
            self.now + delay,
            Due::Announced {
                site: server.site,
                epoch,
            },
        );
    }

    /// A former master learns that it is one no more: it follows the new one, and its clients are thrown out.
    pub(crate) fn demote(&mut self, server: ServerId) {
        if self.site(server.site).master == server.node || self.node(server).following.is_some() {
            return;
        }
        self.tell(What::Demoted { server });
        let (master, now) = (self.site(server.site).master, self.now);
        self.node(server).follow(Following {
            cut_since: Some(now),
            ..Following::new(master, 0)
        });
        self.break_subscriptions(|one| one.server == server, Reconnect::Soon);
        self.throw_out(server);
        self.rejoin(server);
        self.marks.hit("an old master was demoted while it served");
    }

    /// Cuts the master off from everybody but these clients.
    pub(crate) fn split(&mut self, site: u32, clients: BTreeSet<u32>) {
        let master = self.site(site).master;
        let id = ServerId { site, node: master };
        let replicas: Vec<ServerId> = self.replicas(id).map(|(replica, _)| replica).collect();
        replicas.into_iter().for_each(|replica| self.cut_replica(replica));
        self.sites[site as usize].split = Some(Split { master, clients });
        let apart = self.subscriptions_where(|one| {
            one.server.site == site && !self.site(site).joins(one.wire.client, one.server.node)
        });
        self.break_subscriptions_of(&apart, Reconnect::Soon);
    }

    /// Ends a split. Who was the master of the smaller side is the master of no side now, if another was promoted.
    pub(crate) fn unite(&mut self, site: u32) {
        let Some(split) = self.sites[site as usize].split.take() else {
            return;
        };
        if self.site(site).master == split.master {
            self.followers_rejoin(ServerId {
                site,
                node: split.master,
            });
        }
    }

    /// A master lost data.
    pub(crate) fn forgot(&mut self, server: ServerId, all: bool) {
        self.marks.hit("a master lost data");
        self.tell(What::Forgot { server, all });
        self.record_all(server);
    }

    /// Since when a server stands still or is down, its master hears nothing of it.
    pub(crate) fn set_state(&mut self, server: ServerId, state: State) {
        let now = self.now;
        let node = self.node(server);
        node.state = state;
        node.silent_since = (state != State::Up).then_some(now);
    }
}

/// Two different elements.
fn pair<T>(items: &mut [T], first: usize, second: usize) -> (&T, &mut T) {
    if first < second {
        let (head, tail) = items.split_at_mut(second);
        (&head[first], &mut tail[0])
    } else {
        let (head, tail) = items.split_at_mut(first);
        (&tail[0], &mut head[second])
    }
}
