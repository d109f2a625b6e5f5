//! The dashboard, as far as it is drawn here.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Outcome;
use crate::canvas::{Area, Canvas};
use crate::monitor::{Monitor, Series};
use crate::panel::{Line, Panel};
use crate::scene::Span;

/// A column and a row of Grafana's grid.
const COLUMN: f64 = 60.0;
const ROW: f64 = 26.0;
const MARGIN: f64 = 8.0;
const COLUMNS: f64 = 24.0;
/// The alerts come below.
const ALERT: f64 = 22.0;

pub(crate) struct Dashboard {
    panels: Vec<Value>,
}

impl Dashboard {
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let text: Value = serde_json::from_str(&fs::read_to_string(path)?)?;
        let panels = text["panels"].as_array().ok_or("a dashboard has panels")?;
        Ok(Self { panels: panels.clone() })
    }

    /// Asks every query, and draws what is answered.
    pub(crate) fn draw(&self, monitor: &Monitor, span: Span) -> Outcome<String> {
        let bottom = self
            .panels
            .iter()
            .map(area)
            .map(|area| area.y + area.height)
            .fold(0.0, f64::max);
        let alerts = monitor.query("max by (alertname) (ALERTS{alertstate=\"firing\"})", span)?;
        let of_alerts = Area {
            x: MARGIN,
            y: bottom + MARGIN,
            width: COLUMNS * COLUMN - MARGIN,
            height: 40.0 + ALERT * alerts.len() as f64,
        };
        let mut canvas = Canvas::new(COLUMNS * COLUMN + MARGIN, of_alerts.y + of_alerts.height + MARGIN);
        for panel in &self.panels {
            if panel["type"] == "row" {
                let area = area(panel);
                canvas.heading(area.x, area.y + 18.0, text(&panel["title"]));
            } else {
                read(panel, monitor, span)?.draw(&mut canvas, area(panel), span);
            }
        }
        let lines = alerts
            .into_iter()
            .map(|series| Line::new(legend("{{alertname}}", &series), series));
        Panel::alerts(lines.collect()).draw(&mut canvas, of_alerts, span);
        Ok(canvas.finish())
    }
}

fn read(panel: &Value, monitor: &Monitor, span: Span) -> Outcome<Panel> {
    let mut lines = Vec::new();
    for target in panel["targets"].as_array().ok_or("a panel asks something")? {
        let query = text(&target["expr"]).replace("$__rate_interval", "10s");
        let query = query.replace("$namespace", ".*").replace("$semaphore", ".*");
        let form = text(&target["legendFormat"]);
        let answer = monitor.query(&query, span)?;
        lines.extend(
            answer
                .into_iter()
                .map(|series| Line::new(legend(form, &series), series)),
        );
    }
    let defaults = &panel["fieldConfig"]["defaults"];
    Ok(Panel {
        title: text(&panel["title"]).to_owned(),
        unit: text(&defaults["unit"]).to_owned(),
        from_zero: defaults["min"] == 0,
        steps: steps(&defaults["thresholds"]["steps"]),
        kind: text(&panel["type"]).to_owned(),
        lines,
    })
}

/// From which value on a number has which colour.
fn steps(steps: &Value) -> Vec<(f64, String)> {
    let steps = steps.as_array().into_iter().flatten();
    let step = |step: &Value| {
        (
            step["value"].as_f64().unwrap_or(f64::NEG_INFINITY),
            text(&step["color"]).to_owned(),
        )
    };
    steps.map(step).collect()
}

/// `limit of {{semaphore}}`, with the labels of a series.
fn legend(form: &str, series: &Series) -> String {
    let fill = |text: String, (label, value): &(String, String)| text.replace(&format!("{{{{{label}}}}}"), value);
    series.labels.iter().fold(form.to_owned(), fill)
}

fn area(panel: &Value) -> Area {
    let cells = |name: &str| panel["gridPos"][name].as_f64().unwrap_or_default();
    Area {
        x: cells("x") * COLUMN + MARGIN,
        y: cells("y") * ROW + MARGIN,
        width: cells("w") * COLUMN - MARGIN,
        height: cells("h") * ROW - MARGIN,
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
