//! Events as sentences.

use super::cast::{Cast, LIMIT, SEMAPHORE, TTL};
use super::journal::{Event, What};
use crate::duration::short;

/// What somebody needs to know who has never seen a semaphore.
pub(super) fn introduction(cast: &Cast) -> String {
    let ttl = short(TTL);
    let names: Vec<&str> = cast.names().collect();
    let count = names.len();
    format!(
        "\
{count} workers share {LIMIT} permits of the semaphore \"{SEMAPHORE}\": slot 0 and slot 1 are two printers,
and who has no slot waits in line. Each worker has a client of its own, as if it ran on a machine of its own.
A permit is a lease of {ttl}: it is renewed while its worker lives, and free again {ttl} after it does not.
With each permit comes a token that grows from grant to grant; a printer refuses writes with an older one.
The server: {}.

",
        cast.server
    )
}

/// One line about one event; `None` for those that come too often to be told.
pub(super) fn of(event: &Event, cast: &Cast) -> Option<String> {
    let name = cast.workers[event.worker].name;
    let sentence = match event.what {
        What::Waits | What::Writes => return None,
        What::Enters { slot, token } => format!("{name} got slot {slot} with token {token}"),
        What::Leaves => format!("{name} gives it back"),
        What::Pauses | What::Loses { .. } | What::Wakes | What::Refused(_) => return turning_point(event, cast),
    };
    Some(sentence)
}

/// One line about an event of the pause.
pub(super) fn turning_point(event: &Event, cast: &Cast) -> Option<String> {
    let name = cast.workers[event.worker].name;
    let sentence = match event.what {
        What::Pauses => format!("{name}'s machine stands still inside: it can renew nothing"),
        What::Loses { .. } => format!("{name}'s lease is over, so the slot goes to the next in line"),
        What::Wakes => format!("{name}'s machine goes on and, knowing nothing, writes to its printer"),
        What::Refused(stale) => format!("refused: token {} is older than {}", stale.token, stale.newest),
        _ => return None,
    };
    Some(sentence)
}
