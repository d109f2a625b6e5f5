//! What masters know of each name, read past the network and told to the recorder.

use semafence::{FencingToken, HolderId};

use super::World;
use crate::database::Resp;
use crate::history::{Lease, Record, ServerId, Waiter, What};
use crate::keyspace::{Bytes, Value};
use crate::network::Link;
use crate::node::{Call, Node};
use crate::trace::Wire;

const STATE: &[u8] = b":state";
const GENERATION: &[u8] = b"semafence:generation";

impl World {
    /// Looks at what a request has done: who asked, and what the server knows now.
    pub(super) fn remember(&mut self, wire: Wire, server: ServerId, calls: &[Call], replies: &[Resp]) {
        if self.recorder.is_none() {
            return;
        }
        for (call, reply) in calls.iter().zip(replies) {
            let Call::Script {
                script,
                keys,
                args,
                in_full,
            } = call
            else {
                continue;
            };
            if *in_full {
                self.marks.hit("a script was forgotten and sent in full");
            }
            if script.name == "acquire" {
                self.asked(wire, args, reply);
            }
            if keys[0].ends_with(STATE) {
                let arrived = self.record(server, &keys[0]);
                if script.name == "refresh" && arrived {
                    self.marks.hit("a forgotten permit was taken in again");
                }
                self.watch_generation(server);
            }
        }
    }

    /// Tells of another generation.
    fn watch_generation(&mut self, server: ServerId) {
        let Some(base) = base(self.node(server)) else { return };
        if self.generations.get(&server) != Some(&base) {
            self.generations.insert(server, base);
            self.tell(What::Began { server });
        }
    }

    fn asked(&mut self, wire: Wire, args: &[Bytes], reply: &Resp) {
        let Some(holder) = text(&args[0]).parse().ok() else {
            return;
        };
        let first = self.askers.insert(holder, wire.client).is_none();
        let Resp::Array(reply) = reply else { return };
        match (reply.first(), first) {
            (Some(Resp::Int(1)), true) => self.marks.hit("a free permit was granted"),
            (Some(Resp::Int(1)), false) => self.marks.hit("a grant was confirmed or repeated"),
            (Some(Resp::Int(2)), _) => self.marks.hit("a claim was queued"),
            (Some(Resp::Int(3)), _) => self.marks.hit("a tombstone stopped a late acquire"),
            (Some(Resp::Int(0)), _) => self.marks.hit("a try found no permit free"),
            _ => {}
        }
        if wire.link != Link::Commands {
            self.marks.hit("an acquire came over another connection");
        }
    }

    /// Tells how many replicas a master has, if any.
    pub(crate) fn tell_of_replicas(&mut self) {
        let replicas = self.sites.iter().map(|site| site.nodes.len() - 1).max().unwrap_or(0);
        if replicas > 0 {
            let replicas = u32::try_from(replicas).expect("replicas are few");
            self.tell(What::Followed { replicas });
        }
    }

    /// Tells what a server knows of every name.
    pub(crate) fn record_all(&mut self, server: ServerId) {
        if self.recorder.is_none() {
            return;
        }
        if let Some(base) = base(self.node(server)) {
            self.generations.insert(server, base);
        }
        let there = self.node(server).keys().live().map(|(key, _)| key.to_vec());
        let there: Vec<Bytes> = there.filter(|key| key.ends_with(STATE)).collect();
        let told: Vec<Bytes> = self
            .records
            .keys()
            .filter(|(id, key)| *id == server && !there.contains(key))
            .map(|(_, key)| key.clone())
            .collect();
        for key in there.into_iter().chain(told) {
            self.record(server, &key);
        }
    }

    /// Tells what a server knows of one name, if that is new; answers whether it has more holders than before.
    fn record(&mut self, server: ServerId, state_key: &[u8]) -> bool {
        let now = self.now;
        let node = &self.sites[server.site as usize].nodes[server.node as usize];
        if node.following.is_some() {
            return false;
        }
        let mut record = read(node, state_key, now);
        let asker = |holder| self.askers.get(&holder).copied();
        record.holders.iter_mut().for_each(|one| one.client = asker(one.holder));
        record.waiters.iter_mut().for_each(|one| one.client = asker(one.holder));
        let key = (server, state_key.to_vec());
        let before = self.records.get(&key);
        if before == Some(&record) {
            return false;
        }
        let arrived = record.holders.len() > before.map_or(0, |before| before.holders.len());
        self.tell(What::Record(record.clone()));
        self.records.insert(key, record);
        arrived
    }
}

/// What the tokens of a server's generation are counted from.
fn base(node: &Node) -> Option<Bytes> {
    match node.keys().peek(GENERATION) {
        Some(Value::Hash(record)) => record.get(&b"base"[..]).cloned(),
        _ => None,
    }
}

fn read(node: &Node, state_key: &[u8], now: crate::timeline::WorldTime) -> Record {
    let tag = &state_key[..state_key.len() - STATE.len()];
    let part = |name: &str| [tag, name.as_bytes()].concat();
    let mut record = Record {
        server: node.id,
        name: name_of(tag),
        limit: None,
        holders: Vec::new(),
        waiters: Vec::new(),
    };
    let Some(Value::Hash(state)) = node.keys().peek(state_key) else {
        return record;
    };
    let score = |key: &Bytes, member: &[u8]| match node.keys().peek(key) {
        Some(Value::Zset(members)) => members.score(member),
        _ => None,
    };
    let ahead_ms = ahead_ms(state, node.now_us(now).div_euclid(1000));
    let (leases, queue, wake) = (part(":leases"), part(":queue"), part(":wake"));
    let mut waiters = Vec::new();
    for (field, value) in state {
        if field == b"limit" {
            record.limit = text(value).parse().ok().filter(|&limit| limit > 0);
        }
        let Ok(holder) = text(field).parse::<HolderId>() else {
            continue;
        };
        let mut words = value.split(|&byte| byte == b' ');
        match words.next() {
            Some(b"h") => {
                let (Some(token), Some(slots)) = (words.nth(6), words.next()) else {
                    continue;
                };
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "milliseconds since the epoch have 41 bits"
                )]
                let ends = score(&leases, field).map(|ms| node.world_at(ms as i64 + ahead_ms));
                if let Some(ends) = ends.filter(|&ends| ends > now) {
                    let (token, slots) = (text(token).parse().unwrap_or(0), ranges(text(slots)));
                    record.holders.push(Lease {
                        holder,
                        client: None,
                        token: FencingToken::from_u64(token),
                        slots,
                        ends,
                    });
                }
            }
            Some(kind @ (b"q" | b"n")) => {
                let Some(weight) = words.next() else { continue };
                let queues = kind == b"q";
                if let Some(ticket) = score(if queues { &queue } else { &wake }, field) {
                    let weight = text(weight).parse().unwrap_or(1);
                    waiters.push((
                        (!queues, ticket),
                        Waiter {
                            holder,
                            client: None,
                            weight,
                            queues,
                        },
                    ));
                }
            }
            _ => {}
        }
    }
    waiters.sort_by(|(left, _), (right, _)| left.0.cmp(&right.0).then(left.1.total_cmp(&right.1)));
    record.waiters = waiters.into_iter().map(|(_, waiter)| waiter).collect();
    record
}

/// By how much the server's clock is ahead of lease time, where that is stepless.
fn ahead_ms(state: &std::collections::BTreeMap<Bytes, Bytes>, wall_ms: i64) -> i64 {
    let field = |name: &[u8]| state.get(name).and_then(|value| text(value).parse::<i64>().ok());
    let (Some(log), Some(last), Some(cap)) = (field(b"log"), field(b"last"), field(b"cap")) else {
        return 0;
    };
    wall_ms - (log + (wall_ms - last).clamp(0, cap.max(0)))
}

/// `{namespace:name}` without what surrounds the name.
fn name_of(tag: &[u8]) -> String {
    let inside = text(tag).trim_start_matches('{').trim_end_matches('}');
    inside.split_once(':').map_or(inside, |(_, name)| name).to_owned()
}

fn ranges(slots: &str) -> Vec<u32> {
    let bounds = slots.split(',').filter_map(|range| range.split_once('-'));
    let numbers = bounds.filter_map(|(first, last)| Some(first.parse::<u32>().ok()?..=last.parse().ok()?));
    let mut slots: Vec<u32> = numbers.flatten().collect();
    slots.sort_unstable();
    slots
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}
