//! Semaphores: who waits, and who holds which slot.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::bars::ROW;
use super::{Drawing, LEFT};
use crate::history::Op;
use crate::picture::canvas::width_of;
use crate::picture::permits::Acquisition;

const WAIT: f64 = 8.0;
/// How many rows of waiters are drawn.
const WAITS: usize = 8;

/// Where a permit's bar is: its slot and its row there.
type Rows = BTreeMap<Op, usize>;

impl Drawing<'_> {
    pub(super) fn names(&mut self) {
        let names: BTreeSet<String> = self.all.values().map(|one| one.asked.name.clone()).collect();
        for name in names {
            self.name(&name);
        }
    }

    fn name(&mut self, name: &str) {
        let ops: Vec<Op> = self.shown(name);
        let limit = self
            .all
            .values()
            .filter(|one| one.asked.name == name)
            .map(|one| one.asked.limit);
        let limit = limit.max().unwrap_or(0);
        let head = if limit == 1 {
            format!("{name}, a mutex")
        } else {
            format!("{name}, limit {limit}")
        };
        self.canvas.words(10.0, self.y + 13.0, "head", &head);
        self.y += 18.0;
        self.waits(&ops);
        let held = ops.iter().filter_map(|op| self.all[op].permit.as_ref());
        let most = held.flat_map(|permit| permit.slots).max().map_or(0, |slot| slot + 1);
        for slot in 0..limit.max(most) {
            self.slot(name, slot, &ops);
        }
        self.y += 6.0;
    }

    /// The acquisitions of a name that the window shows, by their beginning.
    fn shown(&self, name: &str) -> Vec<Op> {
        let of_name = self.all.values().filter(|one| one.asked.name == name);
        let shown = of_name.filter(|one| {
            let (from, until) = one.span();
            let last = one
                .permit
                .iter()
                .flat_map(|permit| &permit.leases)
                .map(|lease| lease.until)
                .max();
            self.window.shows(from, last.map_or(until, |last| last.max(until)))
        });
        shown.map(Acquisition::op).collect()
    }

    fn waits(&mut self, ops: &[Op]) {
        let mut rows: Vec<f64> = Vec::new();
        let (top, mut hidden) = (self.y, 0);
        for op in ops {
            let one = &self.all[op];
            let blamed = self.is_blamed(*op);
            let brief = one.answered - one.asked_at < Duration::from_millis(40);
            if !self.window.shows(one.asked_at, one.answered) || (brief && one.permit.is_some() && !blamed) {
                continue;
            }
            let (from, until) = (
                self.x(one.asked_at),
                self.x(one.answered).max(self.x(one.asked_at) + 2.0),
            );
            let label = format!("#{op} c{}", one.asked.client);
            let bad_end = one.permit.is_none() && one.answer != "still waits";
            let free = rows.iter().position(|end| *end <= from);
            let row = match free {
                Some(row) => row,
                None if rows.len() < WAITS || blamed => {
                    rows.push(0.0);
                    rows.len() - 1
                }
                None => {
                    hidden += 1;
                    continue;
                }
            };
            let y = top + row as f64 * WAIT + WAIT / 2.0;
            let title = format!(
                "{label} waits for {} of {} from {:.3} s to {:.3} s: {}",
                one.asked.weight,
                one.asked.name,
                one.asked_at.as_secs_f64(),
                one.answered.as_secs_f64(),
                one.answer
            );
            let class = if blamed { "wait bad" } else { "wait" };
            self.canvas.line([from, y, until, y], class, &title);
            if bad_end {
                self.canvas.line([until, y - 3.0, until, y + 3.0], class, &title);
            }
            rows[row] = until + 4.0;
        }
        if rows.is_empty() {
            return;
        }
        let height = rows.len() as f64 * WAIT;
        let name = if hidden > 0 {
            format!("waiting, {hidden} more")
        } else {
            "waiting".to_owned()
        };
        self.canvas.words(LEFT - 8.0, top + height / 2.0 + 4.0, "left", &name);
        self.y += height + 3.0;
    }

    fn slot(&mut self, name: &str, slot: u32, ops: &[Op]) {
        let has = |op: &&Op| {
            self.all[*op]
                .permit
                .as_ref()
                .is_some_and(|permit| permit.slots.contains(&slot))
        };
        let ops: Vec<Op> = ops.iter().filter(has).copied().collect();
        let rows = self.rows(&ops);
        let count = rows.values().max().map_or(1, |last| last + 1);
        // Room for what is said of those that are there at once.
        let height = count as f64 * ROW + if count > 1 { 13.0 } else { 0.0 };
        self.lane(&format!("slot {slot}"), height);
        self.together(name, slot, &rows, height);
        for op in &ops {
            self.permit(*op, slot, self.y + rows[op] as f64 * ROW + 2.0);
        }
        self.y += height + 3.0;
    }

    /// Permits that are believed in at once get rows of their own.
    fn rows(&self, ops: &[Op]) -> Rows {
        let mut by_start: Vec<(Duration, Duration, Op)> = ops
            .iter()
            .filter_map(|op| {
                self.all[op]
                    .permit
                    .as_ref()
                    .map(|permit| (permit.granted, permit.over, *op))
            })
            .collect();
        by_start.sort_unstable();
        let mut ends: Vec<Duration> = Vec::new();
        let mut rows = Rows::new();
        for (from, until, op) in by_start {
            let row = ends.iter().position(|end| *end <= from).unwrap_or(ends.len());
            if row == ends.len() {
                ends.push(Duration::ZERO);
            }
            ends[row] = until;
            rows.insert(op, row);
        }
        rows
    }

    /// Where two are believed in at once: in amber where a fault explains it, in red where nothing does.
    fn together(&mut self, name: &str, slot: u32, rows: &Rows, height: f64) {
        let mut shades: Vec<(Duration, Duration, &str, String)> = Vec::new();
        for overlap in &self.report.overlaps {
            if overlap.name == name && rows.contains_key(&overlap.older) && self.is_on(overlap.newer, slot) {
                let took = (overlap.until - overlap.from).as_secs_f64();
                let bound = overlap.bound.saturating_sub(overlap.from).as_secs_f64();
                let text = format!("two for {took:.2} s of at most {bound:.2} s");
                shades.push((overlap.from, overlap.until, "both", text));
            }
        }
        for blame in &self.blames {
            let ops: Vec<&Op> = blame.ops.iter().filter(|op| rows.contains_key(op)).collect();
            for (index, one) in ops.iter().enumerate() {
                for other in &ops[index + 1..] {
                    if let Some((from, until)) = common(&self.all[*one], &self.all[*other]) {
                        shades.push((from, until, "clash", format!("{}", blame.violation.invariant)));
                    }
                }
            }
        }
        shades.sort();
        let mut written = 0.0;
        for (from, until, class, text) in shades {
            if !self.window.shows(from, until) {
                continue;
            }
            let (x, end) = (self.x(from), self.x(until));
            self.canvas.rect([x, self.y, end - x, height], class, &text);
            // In the strip below the bars, if nothing is written there yet.
            if x >= written {
                let words = match class {
                    "both" if end - x < width_of(&text) => format!("two for {:.2} s", (until - from).as_secs_f64()),
                    _ => text,
                };
                let style = if class == "both" { "excused" } else { "also" };
                self.canvas.words(x + 3.0, self.y + height - 3.0, style, &words);
                written = x + width_of(&words);
            }
        }
    }

    fn is_on(&self, op: Op, slot: u32) -> bool {
        let permit = self.all.get(&op).and_then(|one| one.permit.as_ref());
        permit.is_some_and(|permit| permit.slots.contains(&slot))
    }
}

fn common(one: &Acquisition<'_>, other: &Acquisition<'_>) -> Option<(Duration, Duration)> {
    let (one, other) = (one.permit.as_ref()?, other.permit.as_ref()?);
    let (from, until) = (one.granted.max(other.granted), one.over.min(other.over));
    (from < until).then_some((from, until))
}
