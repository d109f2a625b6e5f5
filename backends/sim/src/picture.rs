//! Draws a history: who waited, who held which slot with which token, what befell whom, and what was broken.
//!
//! ```
//! use semafence_sim::explore::{Plan, Profile, run};
//! use semafence_sim::picture::{Options, html};
//!
//! let plan = Plan::draw(Profile::Failover, 1);
//! let outcome = run(&plan);
//! let options = Options {
//!     plan: Some(plan),
//!     ..Options::default()
//! };
//!
//! let page = html(&outcome.history, &outcome.report, &options);
//!
//! assert!(page.starts_with("<!DOCTYPE html>"));
//! ```

mod blame;
mod canvas;
mod drawing;
mod faults;
mod legend;
mod page;
mod permits;
mod servers;
mod style;
mod zoom;

#[cfg(test)]
mod tests;

use crate::check::Report;
use crate::explore::Plan;
use crate::history::History;
use drawing::Drawing;

/// What is drawn, and what is said beside it.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Draws all of it, instead of the time around the first violation; without one, around the longest overlap, or
    /// else the first fault.
    pub whole: bool,
    /// The plan that was played: it names faults that the checker need not know.
    pub plan: Option<Plan>,
    /// The command that repeats the run.
    pub repeat: Option<String>,
}

/// A timeline as SVG: self-contained, light or dark as the reader prefers.
#[must_use]
pub fn svg(history: &History, report: &Report, options: &Options) -> String {
    Drawing::of(history, report, options).svg()
}

/// The same in a page of its own, with the plan, the command that repeats the run, and the report.
#[must_use]
pub fn html(history: &History, report: &Report, options: &Options) -> String {
    page::html(&svg(history, report, options), report, options)
}
