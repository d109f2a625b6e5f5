//! An API that answers 429 to a fourth call at once.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Serves on a free port of this machine, and says where.
pub(crate) async fn serve() -> io::Result<String> {
    let app = Router::new()
        .route("/weather/{city}", get(weather))
        .with_state(Arc::new(Semaphore::new(3)));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async { axum::serve(listener, app).await });
    Ok(format!("http://{address}"))
}

async fn weather(State(inside): State<Arc<Semaphore>>) -> (StatusCode, &'static str) {
    let Ok(_inside) = inside.try_acquire() else {
        return (StatusCode::TOO_MANY_REQUESTS, "three calls at once are enough");
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    (StatusCode::OK, "fair")
}
