//! Looks at the backend: is it there, who is inside, who waits.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use semafence::{Client, Clock, Error, LockBackend};
use serde_json::{Value, json};

use crate::failure::Failure;

/// Each name is a round trip.
const NAMES_MAX: usize = 200;

const UNAVAILABLE: Failure = Failure {
    status: StatusCode::SERVICE_UNAVAILABLE,
    code: "backend_unavailable",
    message: "the limit cannot be checked",
};

/// Whether the backend answers.
pub(crate) async fn ready<B: LockBackend, C: Clock>(
    State(client): State<Client<B, C>>,
) -> Result<&'static str, Failure> {
    match client.time().await {
        Ok(_) => Ok("ready"),
        Err(_) => Err(UNAVAILABLE),
    }
}

/// Every client and model that was in use within the last hour, by the backend's own account.
pub(crate) async fn status<B: LockBackend, C: Clock>(
    State(client): State<Client<B, C>>,
) -> Result<Json<Vec<Value>>, Failure> {
    let look = async {
        let mut rows = Vec::new();
        for name in client.names().await?.iter().take(NAMES_MAX) {
            let status = client.status(name.as_str()).await?;
            rows.push(json!({
                "key": name.as_str(),
                "limit": status.limit(),
                "holders": status.holders_total,
                "waiters": status.waiters_total,
            }));
        }
        Ok::<_, Error>(rows)
    };
    look.await.map(Json).map_err(|_| UNAVAILABLE)
}
