//! Guides: what is too long for an item.

/// What holds under which fault, on which backend, and what cannot be guaranteed.
pub mod guarantees {
    #![doc = include_str!("guide/guarantees.md")]
}

/// Coming from py-redis-semaphore or pottery-semaphore.
pub mod migrating {
    #![doc = include_str!("guide/migrating.md")]
}

/// Sizing the ttl, settings of servers, rights, TLS, Sentinel, and what to watch.
pub mod operations {
    #![doc = include_str!("guide/operations.md")]
}

/// What `tracing` is told.
pub mod tracing {
    #![doc = include_str!("guide/tracing.md")]
}

/// Writing a backend, and showing that it is right.
pub mod writing_a_backend {
    // The example of the suite needs the suite.
    #![cfg_attr(any(not(doctest), feature = "conformance"), doc = include_str!("guide/backend.md"))]
}
