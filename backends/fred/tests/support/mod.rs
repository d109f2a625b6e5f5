//! What all tests against real servers share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use semafence_fred::{Claim, HolderId, Inbox, Name};

/// A claim of a fresh holder to the one permit of `name`.
pub(crate) fn claim(name: &str) -> Claim {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Claim {
        name: Name::new("test", name).unwrap(),
        holder: HolderId::from_bits(u128::from(NEXT.fetch_add(1, Ordering::Relaxed))),
        limit: 1,
        weight: 1,
        ttl: Duration::from_secs(30),
        window: Duration::from_secs(2),
        patience: Duration::from_secs(15),
        inbox: Inbox::from_bits(7),
        meta: Arc::from(""),
        client_time: None,
        stepless: false,
        doubtful: false,
        grace: Duration::ZERO,
        grant: None,
    }
}
