//! All keys of a server: what they are, what they hold, and how long they live.

use std::collections::BTreeMap;

use semafence::script::Reply;

use crate::outcome::{self, Outcome};

type Bytes = Vec<u8>;

/// By key: its type, its content, and its `PTTL`.
#[derive(Debug, Default)]
pub(crate) struct State(BTreeMap<Bytes, Outcome>);

/// Reads everything with commands.
pub(crate) fn read(mut command: impl FnMut(&[&[u8]]) -> Outcome) -> State {
    let mut state = State::default();
    let Ok(Reply::Array(keys)) = command(&[b"KEYS", b"*"]) else {
        panic!("KEYS answers with an array");
    };
    for key in keys {
        let Reply::Bytes(key) = key else {
            panic!("a key is text")
        };
        let kind = command(&[b"TYPE", &key]);
        let content = match text(&kind) {
            b"hash" => sorted_pairs(command(&[b"HGETALL", &key])),
            b"zset" => command(&[b"ZRANGE", &key, b"0", b"-1", b"WITHSCORES"]),
            b"string" => command(&[b"GET", &key]),
            _ => Ok(Reply::Nil),
        };
        let parts = [kind, content, command(&[b"PTTL", &key])].into_iter();
        state.0.insert(key, parts.collect::<Result<_, _>>().map(Reply::Array));
    }
    state
}

fn text(outcome: &Outcome) -> &[u8] {
    match outcome {
        Ok(Reply::Bytes(text)) => text,
        _ => b"",
    }
}

/// Servers give the fields of a hash in no order.
pub(crate) fn sorted_pairs(outcome: Outcome) -> Outcome {
    let Ok(Reply::Array(items)) = outcome else {
        return outcome;
    };
    let mut pairs: Vec<_> = items.chunks(2).map(<[Reply]>::to_vec).collect();
    pairs.sort_by_key(|pair| format!("{pair:?}"));
    Ok(Reply::Array(pairs.concat()))
}

impl State {
    /// What the first difference is, here and there.
    pub(crate) fn differs(
        &self,
        other: &Self,
        compare: impl Fn(&Outcome, &Outcome) -> Option<(String, String)>,
    ) -> Option<(String, String)> {
        let keys = self.0.keys().chain(other.0.keys());
        keys.into_iter().find_map(|key| {
            let name = key.escape_ascii();
            match (self.0.get(key), other.0.get(key)) {
                (Some(here), Some(there)) => {
                    let (here, there) = compare(here, there)?;
                    Some((format!("key {name}: {here}"), format!("key {name}: {there}")))
                }
                (here, there) => {
                    let show = |held: Option<&Outcome>| held.map_or_else(|| "absent".to_owned(), outcome::show);
                    Some((
                        format!("key {name}: {}", show(here)),
                        format!("key {name}: {}", show(there)),
                    ))
                }
            }
        })
    }
}
