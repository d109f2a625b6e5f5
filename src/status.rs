//! What an operator sees of a semaphore.

use std::time::Duration;

use crate::backend::Queueing;
use crate::clock::Timestamp;
use crate::fence::FencingToken;
use crate::holder::HolderId;
use crate::name::Name;

/// A semaphore as its backend sees it at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The semaphore.
    pub name: Name,
    /// The backend's clock when it looked.
    pub now: Timestamp,
    /// The limit that [`resize`](crate::LockBackend::resize) stored, if any.
    pub limit_override: Option<u32>,
    /// The limit of the latest grant.
    pub limit_seen: Option<u32>,
    /// The latest token.
    pub token: Option<FencingToken>,
    /// Live holders, those that end first foremost; at most 1,000.
    pub holders: Vec<HolderStatus>,
    /// How many hold.
    pub holders_total: u64,
    /// Waiters in ticket order, at most 1,000.
    pub waiters: Vec<WaiterStatus>,
    /// How many wait.
    pub waiters_total: u64,
    /// How many slots live holders occupy, also those that are not listed.
    pub slots_total: u64,
    /// For how much longer nothing is granted, since another server took over or data was lost: the rest of the
    /// [grace](crate::Config::failover_grace), by the backend's clock; zero outside of one, and where no holder or waiter of
    /// this name is known that asked for one.
    pub grace_left: Duration,
}

impl Status {
    /// The limit in force, as far as the backend knows it: the override, else that of the latest grant.
    #[must_use]
    pub fn limit(&self) -> Option<u32> {
        self.limit_override.or(self.limit_seen)
    }

    /// Slots that live holders occupy.
    #[must_use]
    pub fn used(&self) -> u64 {
        self.slots_total
    }
}

/// One live holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HolderStatus {
    /// Its id.
    pub holder: HolderId,
    /// Its slots.
    pub slots: Vec<u32>,
    /// Its token.
    pub token: FencingToken,
    /// When it asked, by the backend's clock.
    pub since: Timestamp,
    /// When its lease ends unless it is refreshed, by the backend's clock.
    pub expires: Timestamp,
    /// The ttl it asked for.
    pub ttl: Duration,
    /// What its process said of itself.
    pub meta: String,
}

/// One waiter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaiterStatus {
    /// Its id.
    pub holder: HolderId,
    /// How many slots it wants.
    pub weight: u32,
    /// When it joined, by the backend's clock.
    pub since: Timestamp,
    /// How it waits.
    pub queueing: Queueing,
    /// What its process said of itself.
    pub meta: String,
}
