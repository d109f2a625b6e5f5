//! Tokens grow in the order of grants, and newer epochs outrank older ones.

use std::collections::BTreeMap;
use std::time::Duration;

use semafence::FencingToken;

use crate::check::facts::Facts;
use crate::check::life::Life;
use crate::check::span::Span;
use crate::check::{Invariant, Report};
use crate::history::{Op, Trouble};

pub(super) fn check(facts: &Facts<'_>, report: &mut Report) {
    for name in facts.by_name.keys() {
        check_name(facts, report, name);
    }
}

/// A grant as far as the order of tokens goes.
#[derive(Debug, Clone, Copy)]
struct Given {
    asked_at: Duration,
    at: Duration,
    op: Op,
    token: FencingToken,
    epoch: u64,
}

fn check_name(facts: &Facts<'_>, report: &mut Report, name: &str) {
    let mut returned: Vec<Given> = facts.of_name(name).filter_map(|life| given(facts, life)).collect();
    let mut asked = returned.clone();
    returned.sort_by_key(|given| given.at);
    asked.sort_by_key(|given| given.asked_at);
    let mut extremes: BTreeMap<u64, [Given; 2]> = BTreeMap::new();
    let mut returned = returned.into_iter().peekable();
    for given in asked {
        while let Some(earlier) = returned.next_if(|earlier| earlier.at < given.asked_at) {
            let known = extremes.entry(earlier.epoch).or_insert([earlier; 2]);
            known[0] = [known[0], earlier]
                .into_iter()
                .min_by_key(|given| given.token)
                .unwrap_or(earlier);
            known[1] = [known[1], earlier]
                .into_iter()
                .max_by_key(|given| given.token)
                .unwrap_or(earlier);
        }
        judge(facts, report, &extremes, given);
    }
}

fn given(facts: &Facts<'_>, life: &Life<'_>) -> Option<Given> {
    let grant = life.grant?;
    Some(Given {
        asked_at: life.asked_at,
        at: grant.at,
        op: life.op(),
        token: grant.token,
        epoch: facts.epoch(life)?,
    })
}

fn judge(facts: &Facts<'_>, report: &mut Report, extremes: &BTreeMap<u64, [Given; 2]>, given: Given) {
    let highest = extremes.range(..=given.epoch).map(|(_, [_, highest])| *highest);
    let highest = highest.max_by_key(|earlier| earlier.token);
    if let Some(earlier) = highest.filter(|earlier| earlier.token >= given.token) {
        complain(facts, report, earlier, given, "not above");
    }
    let newer = extremes.range(given.epoch + 1..).map(|(_, [lowest, _])| *lowest);
    let lowest = newer.min_by_key(|earlier| earlier.token);
    if let Some(earlier) = lowest.filter(|earlier| earlier.token <= given.token) {
        complain(facts, report, earlier, given, "of an older epoch, and not below");
    }
}

fn complain(facts: &Facts<'_>, report: &mut Report, earlier: Given, given: Given, how: &str) {
    if is_beyond_guarantee(facts, Span::new(earlier.asked_at, given.at)) {
        return;
    }
    let text = format!(
        "token {} of {} is {how} {} of {}",
        given.token, given.op, earlier.token, earlier.op
    );
    report.add(Invariant::TokenOrder, given.at, [earlier.op, given.op], text);
}

/// Since when the latest master had been one at that moment.
fn reign_began(facts: &Facts<'_>, at: Duration) -> Duration {
    let reigns = facts.servers.reigns.iter().map(|reign| reign.span.from);
    reigns.filter(|from| *from <= at).max().unwrap_or(at)
}

/// Within this time data must not be lost three times, the start included: two steps of a token, with their jitters.
const STEPS: Duration = Duration::from_secs(4);

/// Whether tokens may go back within the span: while a clock was off, two or more servers lost data, or one lost all of
/// it; data was lost again and again; or both sides of a split began from nothing.
pub(super) fn is_beyond_guarantee(facts: &Facts<'_>, span: Span) -> bool {
    let mut splits = facts.servers.splits.iter().filter(|split| split.touches(&span));
    let forgets = || facts.servers.forgets.iter().map(|forget| forget.at);
    let since = |from: Duration| forgets().filter(move |at| from <= *at && *at <= span.until);
    // A master that lost data and then was lost with all that it had granted: the next one has only its clock as well.
    let in_a_row = || since(span.from).next().is_some() && since(reign_began(facts, span.from)).count() >= 2;
    let for_clocks = || in_a_row() || since(span.from).any(|at| knew_nothing(facts, at));
    splits.any(|split| knew_nothing(facts, split.from))
        || is_lost_thrice(forgets(), span)
        || for_clocks() && facts.troubles.befell_all(Trouble::Clock, span)
}

/// Whether data was lost three times at short intervals that touch the span, the start included.
fn is_lost_thrice(forgets: impl Iterator<Item = Duration>, span: Span) -> bool {
    let losses: Vec<Duration> = std::iter::once(Duration::ZERO).chain(forgets).collect();
    let soon = |three: &[Duration]| three[2] - three[0] <= STEPS && Span::new(three[0], three[2]).touches(&span);
    losses.windows(3).any(soon)
}

/// Whether the server that was promoted at that moment had no record of anything: it tells at once what it knows. What
/// the deployment had granted before, its generation included, is then for its clock to tell.
fn knew_nothing(facts: &Facts<'_>, promoted: Duration) -> bool {
    facts.has_records() && !facts.records.turns.iter().any(|turn| turn.at == promoted)
}

#[cfg(test)]
mod tests {
    use crate::check::Invariant;
    use crate::check::story::story;

    #[test]
    fn a_token_that_goes_back_is_caught() {
        let report = story(
            "0 ask 1 by 1
             10 grant 1 token=5
             20 return 1
             30 ask 2 by 2
             40 grant 2 token=4
             50 return 2",
        );

        assert_eq!(report.broken(), [Invariant::TokenOrder]);
    }

    #[test]
    fn grants_that_were_asked_for_side_by_side_have_tokens_in_any_order() {
        let report = story(
            "0 ask 1 by 1 limit=2
             5 ask 2 by 2 limit=2
             10 grant 1 token=5 slots=1
             40 grant 2 token=4 slots=0
             50 return 1
             50 return 2",
        );

        assert_eq!(report.broken(), []);
    }

    #[test]
    fn a_stale_master_grants_below_the_new_one() {
        let split = "0 ask 1 by 1
             5 record server=0
             100 promote 1 epoch=1 forgot
             100 record server=1
             100 ask 2 by 2
             105 record server=1 hold=2/900/0/3105
             110 grant 2 token=900
             120 return 2
             125 record server=1
             130 ask 3 by 3";

        let below = story(&format!(
            "{split}\n135 record server=0 hold=3/6/0/3135\n140 grant 3 token=6\n150 return 3\n155 record server=0"
        ));
        let above = story(&format!(
            "{split}\n135 record server=0 hold=3/901/0/3135\n140 grant 3 token=901\n150 return 3\n155 record server=0"
        ));

        assert_eq!(below.broken(), []);
        assert_eq!(above.broken(), [Invariant::TokenOrder]);
    }

    #[test]
    fn a_successor_that_knows_nothing_and_whose_clock_is_behind_goes_back() {
        let lost = |clock: &str, known: &str| {
            story(&format!(
                "0 disturb 1 {clock}
                 0 ask 1 by 1
                 5 record server=0 hold=1/5000/0/3005
                 10 grant 1 token=5000
                 20 return 1
                 5000 demote 0
                 5100 promote 1 epoch=1 forgot
                 {known}
                 5200 ask 2 by 2
                 5205 record server=1 hold=2/900/0/8205
                 5210 grant 2 token=900
                 5220 return 2"
            ))
        };

        assert_eq!(lost("clock", "").broken(), []);
        assert_eq!(lost("network", "").broken(), [Invariant::TokenOrder]);
        assert_eq!(lost("clock", "5100 record server=1").broken(), [Invariant::TokenOrder]);
    }

    #[test]
    fn a_master_that_is_lost_between_two_failovers_is_not_known_to_the_last() {
        let row = |clock: &str| {
            story(&format!(
                "0 disturb 1 {clock}
                 0 ask 1 by 1
                 5 record server=0 hold=1/5000/0/3005
                 10 grant 1 token=5000
                 20 return 1
                 9000 demote 0
                 9100 promote 1 epoch=1 forgot
                 9100 record server=1
                 12000 ask 2 by 2
                 12005 record server=1 hold=2/9000/0/15005
                 12010 grant 2 token=9000
                 12020 return 2
                 12100 demote 1
                 14000 promote 2 epoch=2 forgot
                 14000 record server=2
                 14100 ask 3 by 3
                 14105 record server=2 hold=3/8900/0/17105
                 14110 grant 3 token=8900
                 14120 return 3"
            ))
        };

        assert_eq!(row("clock").broken(), []);
        assert_eq!(row("network").broken(), [Invariant::TokenOrder]);
    }
}
