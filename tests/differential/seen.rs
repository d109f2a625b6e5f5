//! What a campaign has come across: a path that is never taken proves nothing.

use std::collections::BTreeSet;

use semafence::script::{Invocation, Reply};

use crate::outcome::Outcome;

/// Each once, such as `acquire 2` for a claim that was queued.
pub(crate) type Seen = BTreeSet<String>;

/// What is to be said of a reply to one of our scripts.
pub(crate) fn reply(call: &Invocation, outcome: &Outcome) -> String {
    let verb = call.script.name;
    match outcome {
        Ok(Reply::Array(items)) => match items.first() {
            // A number is a moment or a limit where it does not say what happened.
            Some(Reply::Int(number)) if !["inspect", "resize"].contains(&verb) => format!("{verb} {number}"),
            Some(_) => format!("{verb} some"),
            None => format!("{verb} none"),
        },
        Ok(_) => format!("{verb} odd"),
        Err(error) => format!("{verb} {}", error.split(' ').next().unwrap_or_default()),
    }
}
