//! Who holds, and where its messages go.

use std::fmt;
use std::str::FromStr;

/// The identity of one acquisition: 128 random bits, fresh for each.
///
/// It is the idempotency key of every verb and the capability to release, so it is never reused and never guessed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HolderId(u128);

impl HolderId {
    /// Makes an id from 128 random bits.
    #[must_use]
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits)
    }

    pub(crate) const fn bits(self) -> u128 {
        self.0
    }
}

impl fmt::Display for HolderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for HolderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HolderId({self})")
    }
}

/// A text that is not 32 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a holder id is 32 hexadecimal digits")]
pub struct ParseHolderIdError;

impl FromStr for HolderId {
    type Err = ParseHolderIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ParseHolderIdError);
        }
        // In halves: 128 bits at once take several times as long.
        let (high, low) = text.split_at(16);
        let half = |digits| u64::from_str_radix(digits, 16).map_err(|_| ParseHolderIdError);
        Ok(Self(u128::from(half(high)?) << 64 | u128::from(half(low)?)))
    }
}

/// Where a backend sends grants and wake-ups for one process: 64 random bits, one per client.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Inbox(u64);

impl Inbox {
    /// Makes an inbox from 64 random bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The pub/sub channel of this inbox.
    #[must_use]
    pub fn channel(&self) -> String {
        format!("semafence:inbox:{self}")
    }
}

impl fmt::Display for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Inbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inbox({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_id_reads_back_what_it_prints() {
        let id = HolderId::from_bits(0x0123_4567_89ab_cdef_0011_2233_4455_6677);

        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!("+123".parse::<HolderId>(), Err(ParseHolderIdError));
    }
}
