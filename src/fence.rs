//! Fencing tokens, and the check that a guarded resource makes.

use std::collections::BTreeMap;
use std::fmt;

/// A number that grows with every grant of a name: it orders owners of a slot, so that a resource can refuse a stale one.
///
/// Unique per name, and larger than the token of every grant of that name that had returned before this one was
/// requested. It stays below 2^53, so it is exact in JSON, Lua and SQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FencingToken(u64);

impl FencingToken {
    /// A token from its number.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number, to be stored beside what is guarded.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The check that a guarded resource makes: per slot, nothing older than the newest token seen.
///
/// Per slot, because with a limit above one several holders are rightly inside at once, and their tokens differ. A
/// weighted permit presents all its slots. A resource with a database keeps this map in a table instead.
///
/// # Examples
///
/// ```
/// use semafence::{Fence, FencingToken};
///
/// let (old, new) = (FencingToken::from_u64(7), FencingToken::from_u64(9));
/// let mut fence = Fence::new();
/// assert!(fence.admit(0, new).is_ok());
/// assert!(fence.admit(1, old).is_ok(), "another slot, another owner");
/// assert!(fence.admit(0, old).is_err(), "a paused holder that woke up too late");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Fence {
    newest: BTreeMap<u32, FencingToken>,
}

impl Fence {
    /// A fence that has seen nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Admits a write by the owner of `slot`, and remembers its token.
    ///
    /// # Errors
    ///
    /// [`StaleToken`] when a newer owner of the slot has been here; nothing is remembered then.
    pub fn admit(&mut self, slot: u32, token: FencingToken) -> Result<(), StaleToken> {
        self.admit_all([slot], token)
    }

    /// Admits a write by a permit that owns several slots: all or none.
    ///
    /// # Errors
    ///
    /// [`StaleToken`] for the first slot that a newer owner has used; nothing is remembered then.
    pub fn admit_all(
        &mut self,
        slots: impl IntoIterator<Item = u32> + Clone,
        token: FencingToken,
    ) -> Result<(), StaleToken> {
        let stale = |slot: u32| {
            let newest = *self.newest.get(&slot)?;
            (newest > token).then_some(StaleToken { slot, token, newest })
        };
        if let Some(refusal) = slots.clone().into_iter().find_map(stale) {
            return Err(refusal);
        }
        for slot in slots {
            self.newest.insert(slot, token);
        }
        Ok(())
    }
}

/// A token that a newer owner of the same slot has overtaken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("token {token} of slot {slot} is stale: {newest} has been seen")]
pub struct StaleToken {
    /// The slot it was presented for.
    pub slot: u32,
    /// The token presented.
    pub token: FencingToken,
    /// The newest token seen for that slot.
    pub newest: FencingToken,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(number: u64) -> FencingToken {
        FencingToken::from_u64(number)
    }

    /// SCENARIOS 39.
    #[test]
    fn live_holders_of_different_slots_never_reject_each_other() {
        let mut fence = Fence::new();

        assert_eq!(fence.admit(0, token(10)), Ok(()));
        assert_eq!(fence.admit(1, token(5)), Ok(()));
        assert_eq!(fence.admit(0, token(10)), Ok(()));
    }

    #[test]
    fn a_weighted_write_is_admitted_on_all_its_slots_or_on_none() {
        let mut fence = Fence::new();
        fence.admit(1, token(9)).unwrap();

        let refusal = fence.admit_all([0, 1], token(8)).unwrap_err();

        assert_eq!(refusal.to_string(), "token 8 of slot 1 is stale: 9 has been seen");
        assert_eq!(fence.admit(0, token(1)), Ok(()));
    }
}
