//! A semaphore's status as people and programs read it.

use std::time::{Duration, UNIX_EPOCH};

use semafence::{HolderStatus, Queueing, Status, Timestamp, WaiterStatus};
use serde_json::{Value, json};

use crate::duration::short;
use crate::meta::{self, printable};
use crate::table::columns;

/// The fields of one semaphore, without schema.
pub(crate) fn object(status: &Status) -> Value {
    let holders: Vec<Value> = status
        .holders
        .iter()
        .map(|holder| holder_object(holder, status.now))
        .collect();
    let waiters: Vec<Value> = (1..)
        .zip(&status.waiters)
        .map(|(place, waiter)| waiter_object(place, waiter, status.now))
        .collect();
    json!({
        "name": status.name.as_str(),
        "namespace": status.name.namespace(),
        "time": rfc3339(status.now),
        "limit": status.limit(),
        "limit_override": status.limit_override,
        "held": status.used(),
        "waiting": status.waiters_total,
        "token": status.token.map(|token| token.as_u64()),
        "grace_left_ms": millis(status.grace_left),
        "holders_total": status.holders_total,
        "holders": holders,
        "waiters": waiters,
    })
}

fn holder_object(holder: &HolderStatus, now: Timestamp) -> Value {
    json!({
        "holder": holder.holder.to_string(),
        "slots": holder.slots,
        "token": holder.token.as_u64(),
        "since": rfc3339(holder.since),
        "age_ms": millis(since(holder.since, now)),
        "expires": rfc3339(holder.expires),
        "left_ms": millis(since(now, holder.expires)),
        "ttl_ms": millis(holder.ttl),
        "meta": meta::parse(&holder.meta),
    })
}

fn waiter_object(place: u64, waiter: &WaiterStatus, now: Timestamp) -> Value {
    json!({
        "place": place,
        "holder": waiter.holder.to_string(),
        "permits": waiter.weight,
        "since": rfc3339(waiter.since),
        "age_ms": millis(since(waiter.since, now)),
        "strategy": strategy(waiter.queueing),
        "meta": meta::parse(&waiter.meta),
    })
}

/// One semaphore on one line, as `ls` shows it.
pub(crate) fn summary(status: &Status) -> Value {
    json!({
        "name": status.name.as_str(),
        "limit": status.limit(),
        "held": status.used(),
        "waiting": status.waiters_total,
    })
}

/// The table of `ls`, and the head of `status`.
pub(crate) fn overview(statuses: &[Status]) -> String {
    let head = ["NAME", "HELD/LIMIT", "WAITING"].map(str::to_owned).to_vec();
    let rows = statuses.iter().map(|status| {
        let limit = status.limit().map_or_else(|| "?".to_owned(), |limit| limit.to_string());
        vec![
            printable(status.name.as_str()),
            format!("{}/{limit}", status.used()),
            status.waiters_total.to_string(),
        ]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

/// Everything about one semaphore.
pub(crate) fn details(status: &Status) -> String {
    let mut text = overview(std::slice::from_ref(status));
    if let Some(grace) = grace(status) {
        text += &format!("\n{grace}\n");
    }
    if !status.holders.is_empty() {
        text += "\n";
        text += &holders(status);
        text += &rest(status.holders_total, status.holders.len());
    }
    if !status.waiters.is_empty() {
        text += "\n";
        text += &waiters(status);
        text += &rest(status.waiters_total, status.waiters.len());
    }
    text
}

/// Why nothing is granted although something is free; `None` where that is not so.
pub(crate) fn grace(status: &Status) -> Option<String> {
    let left = short(status.grace_left);
    let is_on = !status.grace_left.is_zero();
    is_on.then(|| format!("nothing is granted for another {left}: a server took over, or was new or empty"))
}

fn holders(status: &Status) -> String {
    let head = ["SLOT", "TOKEN", "AGE", "LEFT", "HOLDER"].map(str::to_owned).to_vec();
    let mut ordered: Vec<&HolderStatus> = status.holders.iter().collect();
    ordered.sort_by(|a, b| a.slots.cmp(&b.slots));
    let rows = ordered.into_iter().map(|holder| {
        let slots: Vec<String> = holder.slots.iter().map(u32::to_string).collect();
        vec![
            slots.join(","),
            holder.token.to_string(),
            short(since(holder.since, status.now)),
            short(since(status.now, holder.expires)),
            meta::inline(&holder.meta),
        ]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn waiters(status: &Status) -> String {
    let head = ["PLACE", "PERMITS", "AGE", "WAITER"].map(str::to_owned).to_vec();
    let rows = (1..).zip(&status.waiters).map(|(place, waiter): (u64, _)| {
        vec![
            place.to_string(),
            waiter.weight.to_string(),
            short(since(waiter.since, status.now)),
            meta::inline(&waiter.meta),
        ]
    });
    columns(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn rest(total: u64, shown: usize) -> String {
    match total.saturating_sub(shown as u64) {
        0 => String::new(),
        more => format!("… and {more} more\n"),
    }
}

fn strategy(queueing: Queueing) -> &'static str {
    match queueing {
        Queueing::HandOff => "queue",
        Queueing::Never => "poll",
        Queueing::WakeUp => "notify",
    }
}

fn since(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::from_micros(later.as_micros().saturating_sub(earlier.as_micros()))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn rfc3339(time: Timestamp) -> String {
    // Ends in the year 9999; a server's clock beyond that is shown as that year.
    const LAST: u64 = 253_402_300_799_999_999;
    let time = UNIX_EPOCH + Duration::from_micros(time.as_micros().min(LAST));
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use semafence::{FencingToken, HolderId, Name};

    use super::*;

    fn status() -> Status {
        let second = |count: u64| Timestamp::from_micros(1_000_000 * count);
        Status {
            name: Name::new("ns", "printers").unwrap(),
            now: second(1_700_000_100),
            limit_override: None,
            limit_seen: Some(2),
            token: Some(FencingToken::from_u64(9)),
            holders: vec![HolderStatus {
                holder: HolderId::from_bits(1),
                slots: vec![1],
                token: FencingToken::from_u64(9),
                since: second(1_700_000_010),
                expires: second(1_700_000_112),
                ttl: Duration::from_secs(15),
                meta: "host=a&pid=7".to_owned(),
            }],
            holders_total: 1,
            waiters: vec![WaiterStatus {
                holder: HolderId::from_bits(2),
                weight: 1,
                since: second(1_700_000_098),
                queueing: Queueing::HandOff,
                meta: String::new(),
            }],
            waiters_total: 3,
            slots_total: 1,
            grace_left: Duration::ZERO,
        }
    }

    #[test]
    fn people_see_why_nothing_is_granted() {
        let status = Status {
            grace_left: Duration::from_millis(3_200),
            ..status()
        };

        let told = "\nnothing is granted for another 3.2s: a server took over, or was new or empty\n";

        assert!(details(&status).contains(told), "{}", details(&status));
        assert_eq!(object(&status)["grace_left_ms"], 3_200);
    }

    #[test]
    fn people_see_who_holds_and_who_waits() {
        assert_eq!(
            details(&status()),
            "\
NAME      HELD/LIMIT  WAITING
printers  1/2         3

SLOT  TOKEN  AGE     LEFT  HOLDER
1     9      1m 30s  12s   host=a pid=7

PLACE  PERMITS  AGE  WAITER
1      1        2s   -
… and 2 more
"
        );
    }

    #[test]
    fn programs_see_utc_times_and_whole_milliseconds() {
        let object = object(&status());

        assert_eq!(object["time"], "2023-11-14T22:15:00.000Z");
        assert_eq!(object["holders"][0]["age_ms"], 90_000);
        assert_eq!(object["holders"][0]["left_ms"], 12_000);
        assert_eq!(object["holders"][0]["meta"]["host"], "a");
        assert_eq!(object["waiters"][0]["strategy"], "queue");
        assert_eq!(object["waiting"], 3);
    }

    #[test]
    fn a_time_beyond_the_calendar_is_shown_and_does_not_panic() {
        assert_eq!(rfc3339(Timestamp::from_micros(u64::MAX)), "9999-12-31T23:59:59.999Z");
    }
}
