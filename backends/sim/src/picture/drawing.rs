//! The layout: from top to bottom what is broken, time, faults, semaphores, clients, servers, and a legend.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Options;
use super::blame::{Blame, blames};
use super::canvas::{Canvas, width_of};
use super::faults::{Band, bands};
use super::legend;
use super::permits::{Acquisition, acquisitions};
use super::style;
use super::zoom::{Window, interesting};
use crate::check::Report;
use crate::history::{History, Op};

mod bars;
mod cast;
mod names;

/// Where lanes begin, below which their names stand.
const LEFT: f64 = 150.0;
const RIGHT: f64 = 16.0;
/// How wide the picture is when time allows.
const WIDTH: f64 = 1480.0;
/// A second is never narrower.
const SECOND: f64 = 34.0;
/// How many violations are written out.
const LINES: usize = 4;

/// A picture in the making.
pub(super) struct Drawing<'a> {
    history: &'a History,
    report: &'a Report,
    title: String,
    blames: Vec<Blame<'a>>,
    bands: Vec<Band>,
    all: BTreeMap<Op, Acquisition<'a>>,
    end: Duration,
    window: Window,
    width: f64,
    canvas: Canvas,
    /// Where the next lane begins.
    y: f64,
}

impl<'a> Drawing<'a> {
    pub(super) fn of(history: &'a History, report: &'a Report, options: &Options) -> Self {
        let end = history.events.last().map_or(Duration::ZERO, |event| event.at);
        let all = acquisitions(history);
        let blames = blames(report, &all);
        let bands = bands(history, options.plan.as_ref());
        let whole = Window {
            from: Duration::ZERO,
            until: end.max(Duration::from_secs(1)),
        };
        let window = if options.whole {
            whole
        } else {
            interesting(&blames, report, &bands, &all, end)
        };
        Self {
            history,
            report,
            title: title(options, window, end),
            blames,
            bands,
            all,
            end,
            window,
            width: (LEFT + RIGHT + window.length().as_secs_f64() * SECOND).max(WIDTH),
            canvas: Canvas::default(),
            y: 0.0,
        }
    }

    pub(super) fn svg(mut self) -> String {
        self.head();
        let top = self.y;
        self.axis(top + 10.0);
        self.y += 36.0;
        self.faults();
        self.names();
        self.clients();
        self.servers();
        self.axis(self.y + 12.0);
        self.moments(top + 23.0, self.y);
        self.y += 30.0;
        self.y = legend::draw(&mut self.canvas, WIDTH, self.y);
        let (width, height) = (self.width, self.y);
        let under = self.grid(top + 16.0, height);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"sf\" viewBox=\"0 0 {width:.0} {height:.0}\" \
             width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\">\n<style>\n{}</style>\n{}\
             <rect class=\"paper\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n{under}{}</svg>\n",
            style::PICTURE,
            style::PATTERNS,
            self.canvas.finish()
        )
    }

    fn head(&mut self) {
        let title = self.title.clone();
        self.canvas.words(10.0, 20.0, "title", &title);
        self.y = 38.0;
        let lines: Vec<String> = self.blames.iter().take(LINES).map(|blame| cut(&blame.line())).collect();
        for (index, line) in lines.iter().enumerate() {
            let class = if index == 0 { "broken" } else { "also" };
            self.canvas.words(10.0, self.y, class, line);
            self.y += 16.0;
        }
        let more = self.blames.len().saturating_sub(LINES);
        if more > 0 {
            self.canvas.words(10.0, self.y, "also", &format!("… and {more} more"));
            self.y += 16.0;
        }
    }

    /// Where a moment is; moments outside of the window are at its edge.
    fn x(&self, at: Duration) -> f64 {
        let at = at.clamp(self.window.from, self.window.until) - self.window.from;
        let width = self.width - LEFT - RIGHT;
        LEFT + at.as_secs_f64() / self.window.length().as_secs_f64() * width
    }

    /// Time between two marks of the axis: about 90 pixels.
    fn step(&self) -> Duration {
        const STEPS: [u64; 11] = [50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 60_000, 600_000];
        let pixels = (self.width - LEFT - RIGHT) / self.window.length().as_secs_f64();
        let fits = |step: &&u64| **step as f64 / 1000.0 * pixels >= 80.0;
        Duration::from_millis(*STEPS.iter().find(fits).unwrap_or(&3_600_000))
    }

    fn ticks(&self) -> Vec<Duration> {
        let step = self.step();
        let step_ns = step.as_nanos();
        let first = u32::try_from(self.window.from.as_nanos().div_ceil(step_ns)).unwrap_or(u32::MAX);
        let ticks = (first..).map_while(|count| step.checked_mul(count));
        ticks.take_while(|tick| *tick <= self.window.until).collect()
    }

    fn axis(&mut self, y: f64) {
        let digits = if self.step() < Duration::from_secs(1) { 2 } else { 0 };
        self.canvas.words(10.0, y, "note", "world time");
        for tick in self.ticks() {
            let text = format!("{:.digits$} s", tick.as_secs_f64());
            self.canvas.words(self.x(tick), y, "tick", &text);
        }
    }

    /// Drawn below everything: where seconds begin, and faults as shades.
    fn grid(&self, top: f64, height: f64) -> String {
        let mut under = Canvas::default();
        let bottom = self.y.min(height) - 60.0;
        for tick in self.ticks() {
            let x = self.x(tick);
            under.line([x, top, x, bottom], "grid", "");
        }
        for band in self.bands.iter().filter(|band| self.window.shows(band.at, band.until)) {
            let (from, until) = (self.x(band.at), self.x(band.until));
            under.rect([from, top, (until - from).max(2.0), bottom - top], "shade", "");
        }
        under.finish()
    }

    /// The faults, in as few rows as their labels allow.
    fn faults(&mut self) {
        let shown = self.bands.iter().filter(|band| self.window.shows(band.at, band.felt));
        let mut shown: Vec<Band> = shown.cloned().collect();
        // Those that are only felt any more come below.
        shown.sort_by_key(|band| band.until < self.window.from);
        if shown.is_empty() {
            return;
        }
        self.canvas.words(10.0, self.y + 12.0, "head", "faults");
        let mut rows: Vec<f64> = Vec::new();
        for band in shown {
            let (from, until, felt) = (self.x(band.at), self.x(band.until), self.x(band.felt));
            let wide = (felt - from).max(width_of(&band.text));
            // Labels that would leave the picture move to the left of its edge.
            let label = from.min(self.width - RIGHT - width_of(&band.text)).max(LEFT);
            let start = from.min(label);
            let row = rows.iter().position(|end| *end <= start).unwrap_or(rows.len());
            if row == rows.len() {
                rows.push(0.0);
            }
            rows[row] = start.max(from) + wide + 6.0;
            let y = self.y + row as f64 * 20.0;
            let title = format!(
                "{} at {:.3} s, until {:.3} s, felt until {:.3} s",
                band.text,
                band.at.as_secs_f64(),
                band.until.as_secs_f64(),
                band.felt.as_secs_f64()
            );
            self.canvas.rect([from, y + 1.0, felt - from, 15.0], "felt", &title);
            if band.until >= self.window.from {
                self.canvas
                    .rect([from, y + 1.0, (until - from).max(2.0), 15.0], "fault", &title);
            }
            self.canvas.words(label + 4.0, y + 12.5, "", &band.text);
        }
        self.y += rows.len() as f64 * 20.0 + 8.0;
    }

    /// Violations at their instants.
    fn moments(&mut self, top: f64, bottom: f64) {
        let mut last = f64::NEG_INFINITY;
        let window = self.window;
        let shown: Vec<(usize, Duration, String)> = self
            .blames
            .iter()
            .filter(|blame| window.shows(blame.violation.at, blame.violation.at))
            .map(|blame| (blame.number, blame.violation.at, blame.line()))
            .collect();
        for (number, at, line) in shown {
            let x = self.x(at);
            self.canvas.line([x, top, x, bottom], "moment", &line);
            // Badges of one moment stand on top of each other only once.
            if x - last >= 16.0 {
                self.canvas.circle(x, top, 8.0, "badge", &line);
                self.canvas.words(x, top + 4.0, "number", &number.to_string());
                last = x;
            }
        }
    }

    /// The name of a lane and its ground.
    fn lane(&mut self, name: &str, height: f64) {
        let width = self.width - LEFT - RIGHT;
        self.canvas.rect([LEFT, self.y, width, height], "lane", "");
        self.canvas.words(LEFT - 8.0, self.y + height / 2.0 + 4.0, "left", name);
    }

    fn is_blamed(&self, op: Op) -> bool {
        self.blames.iter().any(|blame| blame.ops.contains(&op))
    }
}

fn title(options: &Options, window: Window, end: Duration) -> String {
    let run = options.plan.as_ref().map_or_else(
        || "history".to_owned(),
        |plan| {
            format!(
                "seed {} · profile {} · clients {}",
                plan.seed, plan.profile, plan.clients
            )
        },
    );
    format!(
        "{run} · {:.1} s to {:.1} s of {:.1} s",
        window.from.as_secs_f64(),
        window.until.as_secs_f64(),
        end.as_secs_f64()
    )
}

/// A line that fits.
fn cut(line: &str) -> String {
    const MOST: usize = 210;
    if line.chars().count() <= MOST {
        return line.to_owned();
    }
    let start: String = line.chars().take(MOST).collect();
    format!("{start}…")
}
