//! What a history has covered.

use crate::check::Report;
use crate::history::{End, History, Trouble, What};
use crate::marks::Marks;

/// What many runs of all profiles must have covered. A fault that never bites proves nothing.
pub const MARKS: &[&str] = &[
    "a claim was queued",
    "a client was told that its server is a replica",
    "a clock was stepped where lease time is stepless",
    "a failover lost nothing",
    "a failover lost writes",
    "a forgotten permit was taken in again",
    "a free permit was granted",
    "a grant was undone for want of replicas",
    "a grant waited for replicas",
    "a grant was confirmed or repeated",
    "a holder died",
    "a master came back with older data",
    "a master lost data",
    "a master without enough replicas refused a write",
    "a message came late and was passed by later ones",
    "a paused holder was told when it woke",
    "a permit was dropped",
    "a permit was forgotten",
    "a permit was lost by its deadline",
    "a permit was taken by force",
    "a push was lost",
    "a reply was lost after its request had run",
    "a request was lost",
    "a script was forgotten and sent in full",
    "a stale write was refused",
    "a subscription came back after a break",
    "a timed wait ended in time",
    "a tombstone stopped a late acquire",
    "a try found no permit free",
    "a waiter died",
    "a weighted permit was granted",
    "a zombie request arrived",
    "an acquire was cancelled",
    "an error reached a caller",
    "an old master was demoted while it served",
    "two held a slot after a failover that lost writes",
];

/// Adds what a history shows.
pub(super) fn of_history(history: &History, report: &Report, marks: &mut Marks) {
    use semafence::LossReason;
    let mut paused = None;
    let mut waiting = std::collections::BTreeMap::new();
    let mut holding = std::collections::BTreeMap::new();
    for event in &history.events {
        match &event.what {
            What::Disturbed(fault) if fault.trouble == Trouble::Step => {
                marks.hit("a clock was stepped where lease time is stepless");
            }
            What::Asked(asked) => {
                waiting.insert(asked.op, asked.client);
            }
            What::Granted { op, slots, .. } => {
                if let Some(client) = waiting.remove(op) {
                    holding.insert(*op, client);
                }
                if slots.len() > 1 {
                    marks.hit("a weighted permit was granted");
                }
            }
            What::Ended { op, how } => {
                waiting.remove(op);
                match how {
                    End::Cancelled => marks.hit("an acquire was cancelled"),
                    End::Failed(_) => marks.hit("an error reached a caller"),
                    End::TimedOut => marks.hit("a timed wait ended in time"),
                    End::Unacknowledged => marks.hit("a grant was undone for want of replicas"),
                    End::Busy => {}
                }
            }
            What::Lost { op, reason } => {
                holding.remove(op);
                match reason {
                    LossReason::Expired => marks.hit("a permit was lost by its deadline"),
                    LossReason::Forced => marks.hit("a permit was taken by force"),
                    LossReason::Forgotten => marks.hit("a permit was forgotten"),
                    _ => {}
                }
                if paused == Some(event.at) {
                    marks.hit("a paused holder was told when it woke");
                }
            }
            What::Returning { op, how } => {
                holding.remove(op);
                if *how == crate::history::Return::Dropped {
                    marks.hit("a permit was dropped");
                }
            }
            What::Wrote { admitted: false, .. } => marks.hit("a stale write was refused"),
            What::Resumed { .. } => paused = Some(event.at),
            What::Died { client } => {
                if waiting.values().any(|waiter| waiter == client) {
                    marks.hit("a waiter died");
                }
                if holding.values().any(|holder| holder == client) {
                    marks.hit("a holder died");
                }
            }
            _ => {}
        }
    }
    if !report.overlaps.is_empty() {
        marks.hit("two held a slot after a failover that lost writes");
    }
}
