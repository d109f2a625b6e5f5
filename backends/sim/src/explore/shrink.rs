//! Makes a failing plan small: fewer faults, then fewer clients, then an earlier end.

use std::time::Duration;

use super::plan::Plan;

/// The smallest plan that still fails, as far as leaving things out one after the other finds it.
///
/// Draws do not depend on each other, so what is left behaves as before. `fails` is asked for each plan that is tried,
/// at most a few hundred times.
pub fn shrink(plan: &Plan, mut fails: impl FnMut(&Plan) -> bool) -> Plan {
    let mut best = plan.clone();
    loop {
        let before = best.clone();
        drop_faults(&mut best, &mut fails);
        drop_clients(&mut best, &mut fails);
        end_earlier(&mut best, &mut fails);
        if best == before {
            return best;
        }
    }
}

/// Leaves out runs of faults: half of them, a quarter, and so on down to single ones.
fn drop_faults(best: &mut Plan, fails: &mut impl FnMut(&Plan) -> bool) {
    let mut size = best.faults.len().div_ceil(2).max(1);
    loop {
        let mut from = 0;
        while from < best.faults.len() {
            let mut fewer = best.clone();
            fewer.faults.drain(from..(from + size).min(best.faults.len()));
            if fails(&fewer) {
                *best = fewer;
            } else {
                from += size;
            }
        }
        if size == 1 {
            return;
        }
        size /= 2;
    }
}

fn drop_clients(best: &mut Plan, fails: &mut impl FnMut(&Plan) -> bool) {
    for clients in 1..best.clients {
        let fewer = best.among(clients);
        if fails(&fewer) {
            *best = fewer;
            return;
        }
    }
}

/// Halves the time that is too long until a second is left between what is too short and what is long enough.
fn end_earlier(best: &mut Plan, fails: &mut impl FnMut(&Plan) -> bool) {
    const STEP: Duration = Duration::from_secs(1);
    let mut too_short = Duration::ZERO;
    while best.until.saturating_sub(too_short) > STEP {
        let until = too_short + (best.until - too_short) / 2;
        let until = Duration::from_millis(u64::try_from(until.as_millis()).unwrap_or(u64::MAX));
        let shorter = Plan { until, ..best.clone() };
        if fails(&shorter) {
            *best = shorter;
        } else {
            too_short = until;
        }
    }
}
