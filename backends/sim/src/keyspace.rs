//! Keys, their values and when they end.

use std::collections::BTreeMap;

use crate::zset::Zset;

pub(crate) type Bytes = Vec<u8>;

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Hash(BTreeMap<Bytes, Bytes>),
    Text(Bytes),
    Zset(Zset),
}

impl Value {
    /// As `TYPE` names it.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Hash(_) => "hash",
            Self::Text(_) => "string",
            Self::Zset(_) => "zset",
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Hash(fields) => fields.is_empty(),
            Self::Text(_) => false,
            Self::Zset(members) => members.len() == 0,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    /// Server time, ms.
    pub(crate) expires_at: Option<i64>,
}

/// All keys of one server. Ordered, so that nothing depends on a hash seed; cheap enough to clone for a snapshot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Keyspace {
    entries: BTreeMap<Bytes, Entry>,
    /// Server time, ms: expiry is judged by it, lazily.
    pub(crate) now_ms: i64,
    /// A replica ends no key by its own clock: it waits until its master tells it to.
    pub(crate) follows: bool,
    /// Keys that ended since this was last emptied: a master tells its replicas.
    pub(crate) ended: Vec<Bytes>,
}

impl Keyspace {
    pub(crate) fn entry(&mut self, key: &[u8]) -> Option<&mut Entry> {
        let now_ms = self.now_ms;
        let ended = self.entries.get(key)?.expires_at.is_some_and(|at| now_ms > at);
        if ended && !self.follows {
            self.entries.remove(key);
            self.ended.push(key.to_vec());
            return None;
        }
        self.entries.get_mut(key)
    }

    pub(crate) fn insert(&mut self, key: &[u8], value: Value) -> &mut Value {
        self.entries.remove(key);
        let expires_at = None;
        &mut self
            .entries
            .entry(key.to_vec())
            .or_insert(Entry { value, expires_at })
            .value
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        self.entry(key).is_some() && self.entries.remove(key).is_some()
    }

    /// A collection that lost its last member is no key any more.
    pub(crate) fn remove_if_empty(&mut self, key: &[u8]) {
        if self.entries.get(key).is_some_and(|entry| entry.value.is_empty()) {
            self.entries.remove(key);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// What a key holds, whether or not it has ended.
    pub(crate) fn peek(&self, key: &[u8]) -> Option<&Value> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// Replaces all data with that of `other`; each key ends when it would have ended there.
    pub(crate) fn copy(&mut self, other: &Self) {
        self.entries.clone_from(&other.entries);
    }

    /// Whether all data is that of `other`.
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        self.entries == other.entries
    }

    /// The keys that have not ended, in byte order.
    pub(crate) fn live(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        let lives = |entry: &Entry| entry.expires_at.is_none_or(|at| self.now_ms <= at);
        self.entries
            .iter()
            .filter(move |(_, entry)| lives(entry))
            .map(|(key, entry)| (key.as_slice(), entry))
    }
}
