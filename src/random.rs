//! Randomness from the operating system, or from a seed where runs must repeat.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::holder::{HolderId, Inbox};

/// A source of random bits.
#[derive(Debug)]
pub(crate) enum Random {
    /// Unpredictable: holder ids are capabilities.
    System,
    /// SplitMix64 (Steele, Lea, Flood 2014) from a seed.
    Seeded(AtomicU64),
}

impl Random {
    pub(crate) fn from_seed(seed: Option<u64>) -> Self {
        seed.map_or(Self::System, |seed| Self::Seeded(AtomicU64::new(seed)))
    }

    pub(crate) fn holder(&self) -> HolderId {
        match self {
            Self::System => HolderId::from_bits(u128::from_ne_bytes(system())),
            Self::Seeded(_) => HolderId::from_bits(u128::from(self.bits()) << 64 | u128::from(self.bits())),
        }
    }

    pub(crate) fn inbox(&self) -> Inbox {
        Inbox::from_bits(self.bits())
    }

    /// Uniform in 0 ≤ x < 1.
    pub(crate) fn unit(&self) -> f64 {
        // 53 bits fill the mantissa of an f64.
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    fn bits(&self) -> u64 {
        match self {
            Self::System => u64::from_ne_bytes(system()),
            Self::Seeded(state) => {
                const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
                mix(state.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP))
            }
        }
    }
}

/// One system call, however many bytes: it costs more than all else that makes a holder id.
fn system<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_another_seed_others() {
        let draw = |seed| {
            let random = Random::from_seed(Some(seed));
            (random.holder(), random.inbox())
        };

        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn a_unit_is_below_one() {
        let random = Random::from_seed(Some(7));

        assert!((0..1000).map(|_| random.unit()).all(|unit| (0.0..1.0).contains(&unit)));
    }
}
