//! What was measured, as tables for people and as one JSON object for programs.

use std::fmt::Write;

use serde_json::{Map, Value, json};

/// One table and the goals that it has to meet.
#[derive(Debug)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) about: String,
    pub(crate) rows: Vec<Row>,
    pub(crate) goals: Vec<Goal>,
}

/// One line of a table: column names with their unit, and figures.
pub(crate) type Row = Vec<(&'static str, Value)>;

/// A figure that was promised.
#[derive(Debug)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) measured: f64,
    pub(crate) bound: Bound,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => self.measured >= least,
            Bound::AtMost(most) => self.measured <= most,
        }
    }
}

/// A figure with as many digits as it deserves.
pub(crate) fn figure(value: f64) -> Value {
    let rounded = match value.abs() {
        large if large >= 100.0 => value.round(),
        medium if medium >= 10.0 => (value * 10.0).round() / 10.0,
        _ => (value * 100.0).round() / 100.0,
    };
    json!(rounded)
}

pub(crate) fn json(facts: &Row, sections: &[Section]) -> Value {
    let sections: Map<String, Value> = sections
        .iter()
        .map(|section| (section.name.to_owned(), section_json(section)))
        .collect();
    json!({ "schema": "semafence/bench/v1", "machine": object(facts), "sections": sections })
}

fn section_json(section: &Section) -> Value {
    let rows: Vec<Value> = section.rows.iter().map(object).collect();
    let goals: Vec<Value> = section
        .goals
        .iter()
        .map(|goal| {
            let (bound, value) = match goal.bound {
                Bound::AtLeast(value) => ("at_least", value),
                Bound::AtMost(value) => ("at_most", value),
            };
            json!({ "what": goal.what, "measured": figure(goal.measured), bound: value, "met": goal.is_met() })
        })
        .collect();
    json!({ "about": section.about, "rows": rows, "goals": goals })
}

fn object(row: &Row) -> Value {
    let fields: Map<String, Value> = row
        .iter()
        .map(|(column, value)| ((*column).to_owned(), value.clone()))
        .collect();
    Value::Object(fields)
}

pub(crate) fn text(facts: &Row, sections: &[Section]) -> String {
    let mut text = String::new();
    let facts: Vec<String> = facts
        .iter()
        .map(|(fact, value)| format!("{fact} {}", shown(value)))
        .collect();
    put(&mut text, &facts.join(" · "));
    for section in sections {
        put(&mut text, &format!("\n{} — {}", section.name, section.about));
        put_table(&mut text, &section.rows);
        for goal in &section.goals {
            let (sign, bound) = match goal.bound {
                Bound::AtLeast(bound) => ('≥', bound),
                Bound::AtMost(bound) => ('≤', bound),
            };
            let verdict = if goal.is_met() { "met" } else { "MISSED" };
            let measured = shown(&figure(goal.measured));
            put(
                &mut text,
                &format!("  {verdict}: {} {measured} (goal {sign} {bound})", goal.what),
            );
        }
    }
    text
}

fn put_table(text: &mut String, rows: &[Row]) {
    let Some(first) = rows.first() else { return };
    let head: Vec<String> = first.iter().map(|(column, _)| (*column).to_owned()).collect();
    let body = rows
        .iter()
        .map(|row| row.iter().map(|(_, value)| shown(value)).collect());
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(body).collect();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..first.len()).map(width).collect();
    for line in &lines {
        let cells: Vec<String> = line
            .iter()
            .zip(&widths)
            .map(|(cell, &width)| format!("{cell:>width$}"))
            .collect();
        put(text, &format!("  {}", cells.join("  ")));
    }
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        Value::Number(number) => thousands(&number.to_string()),
        other => other.to_string(),
    }
}

/// `12345.0` as `12,345`.
fn thousands(number: &str) -> String {
    let number = number.strip_suffix(".0").unwrap_or(number);
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(w, f)| (w, Some(f)));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 && digit.is_ascii_digit() && !grouped.ends_with('-') {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    fraction.map_or(grouped.clone(), |fraction| format!("{grouped}.{fraction}"))
}

fn put(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a String succeeds");
}
