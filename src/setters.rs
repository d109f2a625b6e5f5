//! The setters of a builder that wraps another: one list for all of them.

/// Forwards every setter of a [`Config`](crate::Config) to the builder inside a tuple struct.
macro_rules! setters {
    ($builder:ident) => {
        $crate::setters::setters! { $builder
            /// Sets [`Config::namespace`](crate::Config::namespace).
            namespace(namespace: impl Into<String>);
            /// Sets [`Config::ttl`](crate::Config::ttl).
            ttl(ttl: std::time::Duration);
            /// Sets [`Config::acquire_timeout`](crate::Config::acquire_timeout); `None` waits for ever.
            acquire_timeout(timeout: impl Into<Option<std::time::Duration>>);
            /// Sets [`Config::retry_interval`](crate::Config::retry_interval).
            retry_interval(interval: std::time::Duration);
            /// Sets [`Config::retry_interval_max`](crate::Config::retry_interval_max).
            retry_interval_max(interval: std::time::Duration);
            /// Sets [`Config::retry_multiplier`](crate::Config::retry_multiplier).
            retry_multiplier(multiplier: f64);
            /// Sets [`Config::retry_jitter`](crate::Config::retry_jitter).
            retry_jitter(jitter: f64);
            /// Sets [`Config::wakeup_fallback`](crate::Config::wakeup_fallback).
            wakeup_fallback(interval: std::time::Duration);
            /// Sets [`Config::refresh_interval`](crate::Config::refresh_interval).
            refresh_interval(interval: std::time::Duration);
            /// Sets [`Config::refresh_retry_interval`](crate::Config::refresh_retry_interval).
            refresh_retry_interval(interval: std::time::Duration);
            /// Sets [`Config::failover_grace`](crate::Config::failover_grace); `None` leaves it to the backend.
            failover_grace(grace: impl Into<Option<std::time::Duration>>);
            /// Sets [`Config::acks`](crate::Config::acks).
            acks(acks: u32);
            /// Sets [`Config::acks_timeout`](crate::Config::acks_timeout).
            acks_timeout(timeout: std::time::Duration);
            /// Sets [`Config::strict`](crate::Config::strict).
            strict(strict: bool);
            /// Sets [`Config::lease_time`](crate::Config::lease_time).
            lease_time(lease_time: $crate::LeaseTime);
            /// Sets [`Config::strategy`](crate::Config::strategy).
            strategy(strategy: $crate::Strategy);
            /// Adds a pair to [`Config::meta`](crate::Config::meta).
            meta(key: impl Into<String>, value: impl Into<String>);
        }
    };
    ($builder:ident $($(#[$doc:meta])* $name:ident($($arg:ident: $type:ty),+);)+) => {
        impl<B: $crate::LockBackend, C: $crate::Clock> $builder<B, C> {
            $($(#[$doc])* pub fn $name(self, $($arg: $type),+) -> Self { Self(self.0.$name($($arg),+)) })+
        }
    };
}

pub(crate) use setters;
