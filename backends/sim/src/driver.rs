//! Lets a world go on by the runtime's time, and lets everybody at it.

use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;

use crate::sync::lock;
use crate::timeline::WorldTime;
use crate::world::World;

/// The world and what wakes its driver.
pub(crate) struct Shared {
    pub(crate) start: tokio::time::Instant,
    world: Mutex<World>,
    stirred: Arc<Notify>,
}

impl Shared {
    /// Makes a world and starts its driver on the current runtime.
    pub(crate) fn start(world: World) -> Arc<Self> {
        let stirred = Arc::new(Notify::new());
        let shared = Arc::new(Self {
            start: tokio::time::Instant::now(),
            world: Mutex::new(world),
            stirred: Arc::clone(&stirred),
        });
        tokio::spawn(drive(Arc::downgrade(&shared), stirred));
        shared
    }

    /// World time.
    pub(crate) fn now(&self) -> WorldTime {
        tokio::time::Instant::now().saturating_duration_since(self.start)
    }

    /// Changes or reads the world as it is now.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut World) -> T) -> T {
        let now = self.now();
        let mut world = lock(&self.world);
        world.now = world.now.max(now);
        let result = act(&mut world);
        let stirred = std::mem::take(&mut world.stirred);
        drop(world);
        if stirred {
            self.stirred.notify_one();
        }
        result
    }

    /// Lets everything happen that is due; when the next thing is.
    fn work(&self) -> Option<tokio::time::Instant> {
        let now = self.now();
        let mut world = lock(&self.world);
        world.work(now);
        world.stirred = false;
        world.next().map(|next| self.start + next)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stirred.notify_one();
    }
}

async fn drive(shared: Weak<Shared>, stirred: Arc<Notify>) {
    loop {
        // Not held while waiting: the world ends with its last user.
        let next = match shared.upgrade() {
            Some(shared) => shared.work(),
            None => return,
        };
        match next {
            Some(next) => tokio::select! {
                biased;
                () = stirred.notified() => {}
                () = tokio::time::sleep_until(next) => {}
            },
            None => stirred.notified().await,
        }
    }
}
