//! Draws the Grafana dashboard from a real Prometheus: `cargo run -p semafence-dashboard-preview`, some four minutes.
//!
//! The proxy of `examples/llm-proxy` runs with a Redis and a mock model, first with some load, then with more than its
//! limits let through, then without its Redis, then with it again. A Prometheus reads its metrics and evaluates the alerts.
//! Every query of the dashboard is asked as Grafana would, and the answers are drawn into `deploy/dashboard.svg`.

#![forbid(unsafe_code)]

mod axis;
mod canvas;
mod dashboard;
mod monitor;
mod panel;
mod scene;

use std::error::Error;
use std::fs;
use std::path::Path;

use dashboard::Dashboard;
use monitor::Monitor;
use scene::Scene;

type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Outcome {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("deploy/ is above")?;
    let dashboard = Dashboard::read(&deploy.join("grafana/dashboards/semafence.json"))?;
    let scene = Scene::start().await?;
    let monitor = Monitor::start(&deploy.join("prometheus/alerts.yaml"), &scene.address)?;

    let span = scene.play().await?;

    let picture = deploy.join("dashboard.svg");
    fs::write(&picture, dashboard.draw(&monitor, span)?)?;
    println!("{}", picture.display());
    Ok(())
}
