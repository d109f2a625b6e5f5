//! What the tests against a real server share.

use std::time::{Duration, Instant};

use semafence::Client;
use semafence_redis::Redis;
use xtask::Server;

/// One more process.
pub(crate) fn client(server: &Server) -> Client<Redis> {
    Client::new(Redis::from_url(&server.url()).unwrap()).unwrap()
}

/// Waits until something holds, but not for ever.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "{what} within 20 s");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
