//! Dashboard and alerts ask for what the code tells, in a language that Prometheus understands.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use xtask::prometheus::promtool_or_skip;

use crate::document::{Document, root};
use crate::promql::{Selector, groupings, selectors};

const ALERTS: &str = "deploy/prometheus/alerts.yaml";
const ALERT_TESTS: &str = "deploy/prometheus/alerts.test.yaml";
const DASHBOARD: &str = "deploy/grafana/dashboards/semafence.json";

/// What Prometheus adds to each series.
const OF_PROMETHEUS: [&str; 3] = ["instance", "job", "le"];

/// The labels of each metric, by the table that a test of the core holds against its code.
fn metrics() -> BTreeMap<String, BTreeSet<String>> {
    let code = Document::read("src/metrics.rs").text;
    let rows = code.lines().filter_map(|line| line.strip_prefix("//! | `"));
    let mut metrics = BTreeMap::new();
    for row in rows {
        let (name, cells) = row.split_once("` |").expect("a name");
        let mut cells = cells.split('|').map(str::trim);
        let (kind, labels) = (cells.next().expect("a type"), cells.nth(1).expect("labels"));
        let labels = labels.split(", ").map(str::to_owned).collect::<BTreeSet<_>>();
        let suffixes: &[&str] = if kind == "histogram" {
            &["_bucket", "_count", "_sum"]
        } else {
            &[""]
        };
        for suffix in suffixes {
            metrics.insert(format!("{name}{suffix}"), labels.clone());
        }
    }
    metrics
}

/// Whether the code ever gives a label this value.
fn is_value(label: &str, value: &str) -> bool {
    let in_code = |path: &str, text: String| Document::read_any(path).contains(&text);
    match label {
        "outcome" => {
            in_code("src/stats.rs", format!("        {value}: "))
                || in_code("src/meter/facade.rs", format!("\"{value}\""))
        }
        "reason" => in_code("src/stats.rs", format!("        {value}: ")),
        "verb" => in_code("src/meter/command.rs", format!("\"{value}\"")),
        _ => true,
    }
}

fn problems_of(Selector { metric, matchers }: &Selector, metrics: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let Some(labels) = metrics.get(metric) else {
        return vec![format!("no metric {metric}")];
    };
    let unknown = |label: &str| !labels.contains(label) && !OF_PROMETHEUS.contains(&label);
    let problem = |(label, value): &(String, String)| match value {
        _ if unknown(label) => Some(format!("{metric} has no label {label}")),
        value if !value.starts_with('$') && !is_value(label, value) => Some(format!("no {label} is {value}")),
        _ => None,
    };
    matchers.iter().filter_map(problem).collect()
}

#[test]
fn every_metric_label_and_value_of_dashboard_and_alerts_is_one_of_the_code() {
    let metrics = metrics();
    assert_eq!(metrics.len(), 17 + 2 * 3, "{metrics:?}");
    let all_labels: BTreeSet<&str> = metrics
        .values()
        .flatten()
        .map(String::as_str)
        .chain(OF_PROMETHEUS)
        .collect();

    let mut problems = Vec::new();
    for path in [ALERTS, ALERT_TESTS, DASHBOARD] {
        let text = Document::read_any(path);
        let found = selectors(&text);
        assert!(found.len() > 20, "{path}: {found:?}");
        problems.extend(found.iter().flat_map(|selector| problems_of(selector, &metrics)));
        let strange = groupings(&text)
            .into_iter()
            .filter(|label| !all_labels.contains(label.as_str()));
        problems.extend(strange.map(|label| format!("{path}: grouped by {label}")));
    }

    assert!(problems.is_empty(), "{problems:#?}");
}

#[test]
fn every_metric_is_on_the_dashboard() {
    let shown: BTreeSet<String> = queries()
        .iter()
        .flat_map(|query| selectors(query))
        .map(|s| s.metric)
        .collect();

    let missing: Vec<_> = metrics()
        .into_keys()
        .filter(|metric| !metric.ends_with("_sum") && !shown.contains(metric))
        .filter(|metric| !metric.ends_with("_count") || !shown.contains(&metric.replace("_count", "_bucket")))
        .collect();

    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_alert_has_a_test_and_its_notes_and_leads_to_them() {
    let (alerts, tests, notes) = (
        Document::read_any(ALERTS),
        Document::read_any(ALERT_TESTS),
        Document::read("deploy/README.md").text,
    );
    let rules: Vec<&str> = alerts.split("- alert: ").skip(1).collect();
    assert!(rules.len() > 10);

    let mut missing = Vec::new();
    for rule in rules {
        let (name, body) = rule.split_once('\n').expect("a name");
        let link = format!("deploy/README.md#{}\n", name.to_lowercase());
        let has = [
            tests.contains(&format!("alertname: {name}")) || tests.contains(&format!("alertname=\"{name}\"")),
            notes.contains(&format!("\n### {name}\n")),
            body.contains(&link),
        ];
        if has != [true; 3] {
            missing.push((name, has));
        }
    }

    assert!(missing.is_empty(), "test, notes, link: {missing:?}");
}

#[test]
fn alerts_fire_when_they_should_and_at_no_other_time() {
    let Some(promtool) = promtool_or_skip() else { return };

    run(Command::new(&promtool).args(["check", "config", "deploy/prometheus/prometheus.yaml"]));
    run(Command::new(&promtool).args(["test", "rules", ALERT_TESTS]));
}

#[test]
fn prometheus_understands_every_query_of_the_dashboard() {
    let Some(promtool) = promtool_or_skip() else { return };
    let queries = queries();
    assert!(queries.len() > 20);
    let rules = queries.iter().enumerate().map(|(number, query)| {
        let query = query.replace("$__rate_interval", "1m").replace('\'', "''");
        format!("      - {{ record: 'query:{number}', expr: '{query}' }}\n")
    });
    let dir = tempfile::TempDir::new().expect("a directory");
    let file = dir.path().join("queries.yaml");
    let text = format!("groups:\n  - name: queries\n    rules:\n{}", rules.collect::<String>());
    fs::write(&file, text).expect("a file");

    run(Command::new(&promtool)
        .args(["check", "rules", "--lint=none"])
        .arg(&file));
}

/// Every query of every panel.
fn queries() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&Document::read_any(DASHBOARD)).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    targets
        .map(|target| target["expr"].as_str().expect("a query").to_owned())
        .collect()
}

#[track_caller]
fn run(command: &mut Command) {
    let out = command
        .current_dir(Path::new(root()))
        .output()
        .expect("promtool starts");
    let said = [out.stdout, out.stderr].concat();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&said));
}
