//! The page around a picture.

use super::Options;
use super::canvas::escaped;
use super::style;
use crate::check::Report;

pub(super) fn html(svg: &str, report: &Report, options: &Options) -> String {
    let title = title(report, options);
    let mut body = format!("<h1>{}</h1>\n<div class=\"picture\">\n{svg}</div>\n", escaped(&title));
    if let Some(repeat) = &options.repeat {
        body += &section("To repeat it", repeat);
    }
    body += &broken(report);
    body += &overlaps(report);
    if let Some(plan) = &options.plan {
        body += &section("Its plan", &plan.to_string());
    }
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n\
         <body>\n{body}</body>\n</html>\n",
        escaped(&title),
        style::PAGE
    )
}

fn title(report: &Report, options: &Options) -> String {
    let run = options.plan.as_ref().map_or_else(
        || "A history".to_owned(),
        |plan| format!("Seed {}, profile {}", plan.seed, plan.profile),
    );
    match report.violations.first() {
        Some(violation) => format!("{run}: {} is broken", violation.invariant),
        None => format!("{run}: every invariant held"),
    }
}

fn broken(report: &Report) -> String {
    if report.is_clean() {
        return "<h2 class=\"good\">Every invariant held</h2>\n".to_owned();
    }
    let lines: Vec<String> = (1..)
        .zip(&report.violations)
        .map(|(number, violation)| format!("{number}. {violation}"))
        .collect();
    format!(
        "<h2 class=\"bad\">Broken</h2>\n<pre>{}</pre>\n",
        escaped(&lines.join("\n"))
    )
}

fn overlaps(report: &Report) -> String {
    let line = |overlap: &crate::check::Overlap| {
        format!(
            "{:.3} s to {:.3} s (bound {:.3} s): #{} and #{} on slot {} of {}",
            overlap.from.as_secs_f64(),
            overlap.until.as_secs_f64(),
            overlap.bound.as_secs_f64(),
            overlap.older,
            overlap.newer,
            overlap.slot,
            overlap.name
        )
    };
    let lines: Vec<String> = report.overlaps.iter().map(line).collect();
    if lines.is_empty() {
        return String::new();
    }
    section("Two believed in one slot, as a fault explains", &lines.join("\n"))
}

fn section(head: &str, text: &str) -> String {
    format!("<h2>{}</h2>\n<pre>{}</pre>\n", escaped(head), escaped(text.trim_end()))
}
