//! Guides: what is too long for an item.

/// Coming from py-redis-semaphore or pottery-semaphore.
pub mod migrating {
    #![doc = include_str!("guide/migrating.md")]
}

/// What `tracing` is told.
pub mod tracing {
    #![doc = include_str!("guide/tracing.md")]
}
