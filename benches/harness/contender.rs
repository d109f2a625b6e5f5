//! Whoever takes a free lock and gives it back.

use async_trait::async_trait;

/// One way to take a free lock and give it back. Each task has a lock of its own.
#[async_trait]
pub(crate) trait Contender: Send + Sync {
    fn name(&self) -> &'static str;

    /// Takes and gives back the lock of `task` until `enough`, asked after each pair, says so.
    async fn work(&self, task: usize, enough: &(dyn Fn(u64) -> bool + Sync)) -> u64;
}
