//! Which mutant is awake.

use std::cell::Cell;

thread_local! {
    /// Of this thread, so that tests side by side do not wake each other's.
    static AWAKE: Cell<Option<&'static str>> = const { Cell::new(None) };
}

/// Whether this mutant is awake on this thread.
#[must_use]
pub fn on(name: &str) -> bool {
    AWAKE.get() == Some(name)
}

/// Wakes a mutant on this thread until the answer is dropped.
#[must_use]
pub fn wake(name: &'static str) -> Awake {
    AWAKE.set(Some(name));
    Awake(())
}

/// While it lives a mutant is awake.
#[derive(Debug)]
pub struct Awake(());

impl Drop for Awake {
    fn drop(&mut self) {
        AWAKE.set(None);
    }
}
