//! Metrics for Prometheus: those of semafence, and how calls were answered.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Makes the exporter the recorder of this process.
///
/// # Errors
///
/// When there is one already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for (name, buckets) in semafence::metrics::BUCKETS {
        builder = builder.set_buckets_for_metric(Matcher::Full((*name).to_owned()), buckets)?;
    }
    let handle = builder.install_recorder()?;
    semafence::metrics::describe();
    metrics::describe_counter!(
        "llm_proxy_responses_total",
        "Calls by the status that they were answered with."
    );
    Ok(handle)
}

pub(crate) async fn count(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    metrics::counter!("llm_proxy_responses_total", "status" => response.status().as_str().to_owned()).increment(1);
    response
}
