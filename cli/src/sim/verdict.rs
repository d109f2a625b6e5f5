//! What a campaign has shown, for people and for programs.

use std::time::Duration;

use semafence_sim::explore::Plan;
use serde_json::{Map, Value, json};

use super::defect::Defect;
use super::finding::{Finding, Shown, Shrunk};
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
    /// The run to be drawn, where that was asked for.
    pub(crate) shown: Option<Shown>,
    /// Whether more is said than what came of it.
    pub(crate) is_verbose: bool,
}

impl Verdict {
    /// Whether everything held.
    pub(crate) fn holds(&self) -> bool {
        self.tally.failed.is_empty() && self.missing.is_empty()
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut text = self.trace_text();
        text += &columns(&self.figures());
        text += "\n";
        text += &self.marks();
        text += "\n";
        if let Some(finding) = &self.finding {
            text += &self.failures();
            text += &finding_text(finding);
        } else if let Some(plan) = self.only_plan().filter(|_| self.is_verbose) {
            text += &format!("Its plan:\n{}\n", indented(plan));
        }
        for mark in &self.missing {
            text += &format!("Never happened: {mark}.\n");
        }
        if self.holds() {
            text += "Every invariant held.\n";
        }
        text
    }

    fn trace_text(&self) -> String {
        let Some(lines) = &self.trace else {
            return String::new();
        };
        let is_shrunk = self.finding.as_ref().is_some_and(|finding| finding.shrunk.is_some());
        let heading = if is_shrunk { "Trace of the shrunk plan:\n" } else { "" };
        format!("{heading}{}\n\n", lines.join("\n"))
    }

    /// The plan, where there is one run.
    fn only_plan(&self) -> Option<&Plan> {
        let (plan, _) = self.tally.range.as_ref()?;
        (self.tally.histories == 1).then_some(plan)
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
                format!("{}, {} times real time", long(tally.simulated), grouped(self.ratio())),
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
            return format!("seed {}, profile {}, {}", first.seed, first.profile, size(first, ", "));
        }
        let mut text = format!("seeds {} to {}", first.seed, last.seed);
        if let Source::Seeds(seeds) = &self.source {
            match seeds.profile {
                None => text += ", all profiles",
                Some(profile) => text += &format!(", profile {profile}"),
            }
            if let Some(clients) = seeds.clients {
                text += &format!(", {}", counted(u64::from(clients), "client"));
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
            "plan": self.only_plan().map(ToString::to_string),
            "trace": self.trace,
        })
    }

    fn failure_object(&self, plan: &Plan, defect: &Defect) -> Value {
        let finding = self.finding.as_ref().filter(|finding| finding.plan == *plan);
        let shrunk = finding.and_then(|finding| finding.shrunk.as_ref());
        json!({
            "seed": plan.seed,
            "profile": plan.profile.to_string(),
            "invariant": defect.invariant,
            "at_ms": defect.at.map(millis),
            "text": defect.text,
            "plan": finding.map_or(plan, Finding::smallest).to_string(),
            "shrunk": shrunk.map(|shrunk| json!({
                "at_ms": shrunk.defect.at.map(millis),
                "text": shrunk.defect.text,
            })),
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
    text += &match shrunk {
        Some(Shrunk { plan: small, .. }) => {
            let (faults, clients) = (small.faults.len(), small.clients);
            format!("Shrunk from {} to {clients} and {faults}:\n", size(plan, " and "))
        }
        None => "Its plan:\n".to_owned(),
    };
    text += &format!("{}\n", indented(finding.smallest()));
    if let Some(Shrunk { defect, .. }) = shrunk {
        text += &format!("It shows {}{}: {}\n\n", defect.invariant, moment(defect), defect.text);
    }
    text + &format!("Repeat: {}\n", finding.repeat)
}

fn failure(plan: &Plan, defect: &Defect) -> String {
    format!(
        "{}, seed {}, profile {}{}: {}",
        defect.invariant,
        plan.seed,
        plan.profile,
        moment(defect),
        defect.text
    )
}

fn moment(defect: &Defect) -> String {
    let at = |at: Duration| format!(" at {:.3} s", at.as_secs_f64());
    defect.at.map_or_else(String::new, at)
}

fn size(plan: &Plan, and: &str) -> String {
    let clients = counted(u64::from(plan.clients), "client");
    clients + and + &counted(plan.faults.len() as u64, "fault")
}

/// As `--plan` reads it too.
fn indented(plan: &Plan) -> String {
    plan.to_string().lines().map(|line| format!("  {line}\n")).collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// 1 fault, 2 faults.
fn counted(count: u64, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} {what}{plural}", grouped(count))
}

/// In seconds below an hour.
fn long(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 3600.0 => format!("{seconds:.0} s"),
        seconds => format!("{:.1} h", seconds / 3600.0),
    }
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
    fn one_is_no_plural_and_an_hour_is_no_seconds() {
        assert_eq!(
            [0, 1, 2].map(|count| counted(count, "fault")),
            ["0 faults", "1 fault", "2 faults"]
        );
        assert_eq!(
            [70, 3_599, 3_600].map(|seconds| long(Duration::from_secs(seconds))),
            ["70 s", "3599 s", "1.0 h"]
        );
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 999, 1_000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
