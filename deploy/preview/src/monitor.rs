//! A Prometheus that reads one program, and what it answers.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use xtask::prometheus;

use crate::Outcome;
use crate::scene::Span;

const STEP: &str = "2s";

/// A Prometheus, gone with this.
pub(crate) struct Monitor {
    server: Child,
    promtool: PathBuf,
    address: String,
    _data: TempDir,
}

/// One line of a graph.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) labels: Vec<(String, String)>,
    /// Time and value, without those that are none.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Monitor {
    /// Starts one that reads the metrics of the program at this address.
    pub(crate) fn start(rules: &Path, program: &str) -> Outcome<Self> {
        let [server, promtool] = prometheus::PROGRAMS
            .map(|program| prometheus::find(program).ok_or(format!("no {program}: run `cargo xtask setup`")));
        let data = TempDir::new()?;
        let config = data.path().join("prometheus.yaml");
        let target = program.trim_start_matches("http://");
        let text = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 2s }}\nrule_files: ['{}']\nscrape_configs:\n  \
             - {{ job_name: proxy, static_configs: [{{ targets: ['{target}'] }}] }}\n",
            rules.display()
        );
        fs::write(&config, text)?;
        // Free a moment ago, which is good enough here.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = Command::new(server?);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", data.path().join("data").display()));
        command.arg(format!("--web.listen-address={address}"));
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self {
            server,
            promtool: promtool?,
            address: format!("http://{address}"),
            _data: data,
        })
    }

    /// What a query comes to over time.
    pub(crate) fn query(&self, query: &str, span: Span) -> Outcome<Vec<Series>> {
        let mut command = Command::new(&self.promtool);
        command.args(["query", "range", "--format=json", "--step", STEP]);
        command.args([
            "--start",
            &format!("{:.0}", span.from),
            "--end",
            &format!("{:.0}", span.to),
        ]);
        let out = command.arg(&self.address).arg(query).output()?;
        if !out.status.success() {
            return Err(format!("{query}: {}", String::from_utf8_lossy(&out.stderr)).into());
        }
        let answer: Value = serde_json::from_slice(&out.stdout)?;
        let found = answer.as_array().ok_or("promtool answers with a list")?;
        found
            .iter()
            .map(|series| read(series).ok_or("a series without values".into()))
            .collect()
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _it_may_be_gone = self.server.kill();
        let _it_may_be_reaped = self.server.wait();
    }
}

fn read(series: &Value) -> Option<Series> {
    let labels = series["metric"].as_object()?.iter();
    let labels = labels.map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
    let points = series["values"].as_array()?.iter();
    let points = points.map(|point| Some((point[0].as_f64()?, point[1].as_str()?.parse().ok()?)));
    Some(Series {
        labels: labels.collect::<Option<_>>()?,
        points: points
            .filter(|point| point.is_none_or(|(_, value): (f64, f64)| value.is_finite()))
            .collect::<Option<_>>()?,
    })
}
