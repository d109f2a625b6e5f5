//! What a campaign has shown, for people and for programs.

use std::fmt::Write as _;
use std::time::Duration;

use semafence_sim::explore::Plan;
use serde_json::{Map, Value, json};

use super::defect::Defect;
use super::finding::Finding;
use super::source::Source;
use super::tally::{Tally, length};
use crate::table::columns;

/// What a campaign has shown.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) source: Source,
    pub(crate) tally: Tally,
    /// How long it took.
    pub(crate) wall: Duration,
    pub(crate) finding: Option<Finding>,
    /// What never happened though it should have.
    pub(crate) missing: Vec<&'static str>,
    /// What happened in the run that is shown, where that was asked for.
    pub(crate) trace: Option<Vec<String>>,
}

impl Verdict {
    /// Whether everything held.
    pub(crate) fn holds(&self) -> bool {
        self.tally.failed.is_empty() && self.missing.is_empty()
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        for line in self.trace.iter().flatten() {
            text += &format!("{line}\n");
        }
        if self.trace.is_some() {
            text += "\n";
        }
        text += &columns(&self.figures());
        text += "\n";
        text += &self.marks();
        text += "\n";
        if let Some(finding) = &self.finding {
            text += &self.failures();
            text += &finding_text(finding);
        }
        for mark in &self.missing {
            text += &format!("Never happened: {mark}.\n");
        }
        if self.holds() {
            text += "Every invariant held.\n";
        }
        text
    }

    fn figures(&self) -> Vec<Vec<String>> {
        let row = |name: &str, value: String| vec![name.to_owned(), value];
        let tally = &self.tally;
        let mut rows = vec![
            row("runs", self.range()),
            row(
                "histories",
                format!(
                    "{} in {:.1} s, {} a minute",
                    grouped(tally.histories),
                    self.wall.as_secs_f64(),
                    grouped(self.per_minute())
                ),
            ),
            row(
                "simulated",
                format!(
                    "{:.1} h, {} times real time",
                    tally.simulated.as_secs_f64() / 3600.0,
                    grouped(self.ratio())
                ),
            ),
            row("events", grouped(tally.events)),
            row("overlaps", grouped(tally.overlaps)),
        ];
        if let Some((seed, longest)) = &tally.longest {
            let bound = longest.bound.saturating_sub(longest.from);
            rows.push(row(
                "longest",
                format!(
                    "{:.3} s of at most {:.3} s, slot {} of {}, seed {seed}",
                    length(longest).as_secs_f64(),
                    bound.as_secs_f64(),
                    longest.slot,
                    longest.name
                ),
            ));
        }
        rows
    }

    /// Which runs there were.
    fn range(&self) -> String {
        let Some((first, last)) = &self.tally.range else {
            return "none".to_owned();
        };
        if first == last {
            let faults = first.faults.len();
            return format!(
                "seed {}, profile {}, {} clients, {faults} faults",
                first.seed, first.profile, first.clients
            );
        }
        let mut text = format!("seeds {} to {}", first.seed, last.seed);
        if let Source::Seeds(seeds) = &self.source {
            match seeds.profile {
                None => text += ", all profiles",
                Some(profile) => text += &format!(", profile {profile}"),
            }
            if let Some(clients) = seeds.clients {
                text += &format!(", {clients} clients");
            }
            if !seeds.groups.is_empty() {
                let groups: Vec<String> = seeds.groups.iter().map(ToString::to_string).collect();
                text += &format!(", those with faults of {} only", groups.join(", "));
            }
        }
        text
    }

    fn marks(&self) -> String {
        let mut marks: Vec<(u64, &str)> = self.tally.marks.iter().map(|(mark, count)| (count, mark)).collect();
        marks.sort_by(|(count, mark), (other, than)| other.cmp(count).then(mark.cmp(than)));
        let width = marks.first().map_or(0, |(count, _)| grouped(*count).len());
        let lines = marks
            .iter()
            .map(|(count, mark)| format!("{:>width$}  {mark}\n", grouped(*count)));
        lines.collect()
    }

    /// All runs that failed, where there are several.
    fn failures(&self) -> String {
        let failed = &self.tally.failed;
        if failed.len() < 2 {
            return String::new();
        }
        let mut text = format!("{} runs failed:\n", grouped(failed.len() as u64));
        for (plan, defect) in failed {
            text += &format!("  {}\n", failure(plan, defect));
        }
        text + "\n"
    }

    /// For programs.
    pub(crate) fn object(&self) -> Value {
        let tally = &self.tally;
        let (first, last) = match &tally.range {
            Some((first, last)) => (Some(first.seed), Some(last.seed)),
            None => (None, None),
        };
        let marks: Map<String, Value> = tally
            .marks
            .iter()
            .map(|(mark, count)| (mark.to_owned(), count.into()))
            .collect();
        let longest = tally.longest.as_ref().map(|(seed, overlap)| {
            json!({
                "seed": seed,
                "name": overlap.name,
                "slot": overlap.slot,
                "length_ms": millis(length(overlap)),
                "bound_ms": millis(overlap.bound.saturating_sub(overlap.from)),
            })
        });
        let failures: Vec<Value> = tally
            .failed
            .iter()
            .map(|(plan, defect)| self.failure_object(plan, defect))
            .collect();
        json!({
            "schema": "semafence/sim/v1",
            "holds": self.holds(),
            "first_seed": first,
            "last_seed": last,
            "histories": tally.histories,
            "simulated_ms": millis(tally.simulated),
            "wall_ms": millis(self.wall),
            "histories_per_minute": self.per_minute(),
            "real_time_ratio": self.ratio(),
            "events": tally.events,
            "marks": marks,
            "missing_marks": self.missing,
            "overlaps": tally.overlaps,
            "longest_overlap": longest,
            "failures": failures,
            "trace": self.trace,
        })
    }

    fn failure_object(&self, plan: &Plan, defect: &Defect) -> Value {
        let finding = self.finding.as_ref().filter(|finding| finding.plan == *plan);
        json!({
            "seed": plan.seed,
            "profile": plan.profile.to_string(),
            "invariant": defect.invariant,
            "at_ms": defect.at.map(millis),
            "text": defect.text,
            "plan": finding.map_or(plan, Finding::smallest).to_string(),
            "repeat": self.source.repeat(plan),
        })
    }

    fn per_minute(&self) -> u64 {
        per(self.tally.histories as f64 * 60.0, self.wall)
    }

    fn ratio(&self) -> u64 {
        per(self.tally.simulated.as_secs_f64(), self.wall)
    }
}

fn finding_text(finding: &Finding) -> String {
    let Finding {
        plan, defect, shrunk, ..
    } = finding;
    let mut text = format!("Broken: {}\n\n", failure(plan, defect));
    let _a_string_takes_everything = match shrunk {
        Some(shrunk) => writeln!(
            text,
            "Shrunk from {} faults and {} clients to {} and {}:",
            plan.faults.len(),
            plan.clients,
            shrunk.faults.len(),
            shrunk.clients
        ),
        None => writeln!(text, "Its plan:"),
    };
    text + &format!("{}\nRepeat: {}\n", indented(finding.smallest()), finding.repeat)
}

fn failure(plan: &Plan, defect: &Defect) -> String {
    let at = defect
        .at
        .map_or_else(String::new, |at| format!(" at {:.3} s", at.as_secs_f64()));
    format!(
        "{}, seed {}, profile {}{at}: {}",
        defect.invariant, plan.seed, plan.profile, defect.text
    )
}

/// As `--plan` reads it too.
fn indented(plan: &Plan) -> String {
    plan.to_string().lines().map(|line| format!("  {line}\n")).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Whole ones a second, or a minute.
fn per(count: f64, wall: Duration) -> u64 {
    // A float beyond the range of integers becomes their largest.
    (count / wall.as_secs_f64().max(1e-6)).round() as u64
}

/// 12,345.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
