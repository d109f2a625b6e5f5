//! What is different for some clients and models.

use std::collections::HashMap;
use std::error::Error;

use serde::Deserialize;

use crate::call::Pair;

/// What is different, by client and model.
#[derive(Debug, Default)]
pub struct Overrides(HashMap<Pair, Special>);

/// What is different for one client and model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Special {
    pub(crate) limit: Option<u32>,
    pub(crate) upstream: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    client: String,
    model: String,
    limit: Option<u32>,
    upstream: Option<String>,
}

impl Overrides {
    /// Reads a list of `{"client": …, "model": …, "limit": …, "upstream": …}`, of which the last two may be missing.
    ///
    /// # Errors
    ///
    /// When it is not of that form, a limit is not within 1–65,536, or a client and model come twice.
    pub fn parse(json: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let mut overrides = Self::default();
        for row in serde_json::from_str::<Vec<Row>>(json)? {
            let Row {
                client,
                model,
                limit,
                upstream,
            } = row;
            if limit.is_some_and(|limit| !(1..=65_536).contains(&limit)) {
                return Err(format!("the limit of {client} and {model} is not within 1 to 65,536").into());
            }
            let known = overrides.0.insert(Pair { client, model }, Special { limit, upstream });
            if known.is_some() {
                return Err("a client and model come twice".into());
            }
        }
        Ok(overrides)
    }

    pub(crate) fn of(&self, pair: &Pair) -> Option<&Special> {
        self.0.get(pair)
    }
}
