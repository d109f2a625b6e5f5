//! One panel.

use crate::axis::{Axis, in_words};
use crate::canvas::{Anchor, Area, Canvas};
use crate::monitor::Series;
use crate::scene::Span;

const COLOURS: [&str; 8] = [
    "#3b7dd8", "#d9541e", "#3a9b47", "#8b4fc0", "#c9a21a", "#c2347a", "#2a9d9d", "#777777",
];
/// How wide a character is, more or less.
const CHARACTER: f64 = 6.9;
const WHITE: &str = "#ffffff";

pub(crate) struct Panel {
    pub(crate) title: String,
    pub(crate) unit: String,
    pub(crate) from_zero: bool,
    pub(crate) steps: Vec<(f64, String)>,
    pub(crate) kind: String,
    pub(crate) lines: Vec<Line>,
}

/// A series and what it is called.
pub(crate) struct Line {
    name: String,
    points: Vec<(f64, f64)>,
}

impl Line {
    pub(crate) fn new(name: String, series: Series) -> Self {
        Self {
            name,
            points: series.points,
        }
    }
}

impl Panel {
    /// When which alert fired.
    pub(crate) fn alerts(lines: Vec<Line>) -> Self {
        Self {
            title: "Alerts that fire".to_owned(),
            unit: String::new(),
            from_zero: true,
            steps: Vec::new(),
            kind: "alerts".to_owned(),
            lines,
        }
    }

    pub(crate) fn draw(&self, canvas: &mut Canvas, area: Area, span: Span) {
        match self.kind.as_str() {
            "stat" => self.draw_number(canvas, area),
            "alerts" => self.draw_bars(canvas, area, span),
            _ => self.draw_graph(canvas, area, span),
        }
    }

    fn draw_number(&self, canvas: &mut Canvas, area: Area) {
        let value = self
            .lines
            .first()
            .and_then(|line| line.points.last())
            .map(|(_, value)| *value);
        let step = self
            .steps
            .iter()
            .rev()
            .find(|(from, _)| value.is_some_and(|value| value >= *from));
        let colour = match step.map(|(_, colour)| colour.as_str()) {
            Some("green") => COLOURS[2],
            Some("red") => "#c8352b",
            _ => COLOURS[0],
        };
        canvas.rect(area, colour);
        let words = value.map_or("no data".to_owned(), |value| in_words(value, &self.unit));
        canvas.number(area.x + area.width / 2.0, area.y + area.height / 2.0 + 16.0, &words);
        self.draw_title(canvas, area);
    }

    fn draw_title(&self, canvas: &mut Canvas, area: Area) {
        canvas.text(area.x + 8.0, area.y + 16.0, Anchor::Start, &self.title);
    }

    fn draw_graph(&self, canvas: &mut Canvas, area: Area, span: Span) {
        canvas.rect(area, WHITE);
        self.draw_title(canvas, area);
        let axis = Axis::of(
            self.lines
                .iter()
                .flat_map(|line| line.points.iter().map(|point| point.1)),
            self.from_zero,
        );
        let marks: Vec<String> = axis.marks.iter().map(|mark| in_words(*mark, &self.unit)).collect();
        let widest = marks.iter().map(|mark| mark.chars().count()).max().unwrap_or_default();
        let left = 12.0 + widest as f64 * CHARACTER;
        let plot = Area {
            x: area.x + left,
            y: area.y + 26.0,
            width: area.width - left - 12.0,
            height: area.height - 64.0,
        };
        let y = |value: f64| plot.y + plot.height * (1.0 - axis.part(value));
        for (mark, words) in axis.marks.iter().zip(&marks) {
            canvas.rule((plot.x, y(*mark)), (plot.x + plot.width, y(*mark)));
            canvas.text(plot.x - 4.0, y(*mark) + 4.0, Anchor::End, words);
        }
        draw_time(canvas, plot, span);
        for (number, line) in self.lines.iter().enumerate() {
            let place = |(time, value): &(f64, f64)| (x(*time, plot, span), y(*value));
            for run in runs(&line.points) {
                let points: Vec<_> = run.iter().map(place).collect();
                canvas.line(&points, COLOURS[number % COLOURS.len()], line.name.starts_with("limit"));
            }
        }
        self.draw_legend(canvas, area);
    }

    fn draw_legend(&self, canvas: &mut Canvas, area: Area) {
        let (mut left, top) = (area.x + 10.0, area.y + area.height - 10.0);
        for (number, line) in self.lines.iter().enumerate() {
            let width = 26.0 + line.name.chars().count() as f64 * CHARACTER;
            if left + width > area.x + area.width {
                canvas.text(left, top, Anchor::Start, "…");
                return;
            }
            let mark = Area {
                x: left,
                y: top - 5.0,
                width: 12.0,
                height: 3.0,
            };
            canvas.rect(mark, COLOURS[number % COLOURS.len()]);
            canvas.text(left + 16.0, top, Anchor::Start, &line.name);
            left += width;
        }
    }

    /// A bar for each stretch of time in which a line is there at all.
    fn draw_bars(&self, canvas: &mut Canvas, area: Area, span: Span) {
        canvas.rect(area, WHITE);
        self.draw_title(canvas, area);
        let plot = Area {
            x: area.x + 200.0,
            y: area.y + 24.0,
            width: area.width - 220.0,
            height: area.height - 40.0,
        };
        for (number, line) in self.lines.iter().enumerate() {
            let height = plot.height / self.lines.len() as f64;
            let top = plot.y + height * number as f64;
            canvas.text(plot.x - 8.0, top + height / 2.0 + 4.0, Anchor::End, &line.name);
            for run in runs(&line.points) {
                let (from, to) = (run[0].0, run[run.len() - 1].0);
                let bar = Area {
                    x: x(from, plot, span),
                    y: top + 3.0,
                    width: (x(to, plot, span) - x(from, plot, span)).max(2.0),
                    height: height - 6.0,
                };
                canvas.rect(bar, "#c8352b");
            }
        }
        draw_time(canvas, plot, span);
    }
}

/// Seconds since the beginning.
fn draw_time(canvas: &mut Canvas, plot: Area, span: Span) {
    let mut seconds = 0.0;
    while span.from + seconds <= span.to {
        let x = x(span.from + seconds, plot, span);
        canvas.text(
            x,
            plot.y + plot.height + 14.0,
            Anchor::Middle,
            &format!("{seconds:.0}s"),
        );
        seconds += 60.0;
    }
}

fn x(time: f64, plot: Area, span: Span) -> f64 {
    plot.x + plot.width * (time - span.from) / (span.to - span.from)
}

/// Stretches without a gap: where a query has no answer there is no line.
fn runs(points: &[(f64, f64)]) -> impl Iterator<Item = &[(f64, f64)]> {
    points.chunk_by(|before, after| after.0 - before.0 < 5.0)
}
