//! Randomness by counter: a number depends on what it is for, never on how many were drawn before it.

/// The finalizer of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
const fn mix(mut bits: u64) -> u64 {
    bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Draws the number that belongs to `seed` and a path of counters: the same for ever, and unrelated to its neighbours.
///
/// Removing one message or one fault from a run therefore changes no other draw, which is what lets a failing plan
/// shrink.
///
/// # Examples
///
/// ```
/// use semafence_sim::draw;
///
/// assert_eq!(draw(7, &[1, 2]), draw(7, &[1, 2]));
/// assert_ne!(draw(7, &[1, 2]), draw(7, &[2, 1]));
/// ```
#[must_use]
pub fn draw(seed: u64, path: &[u64]) -> u64 {
    path.iter().fold(mix(seed), |state, &step| mix(state ^ mix(step)))
}

/// A stream of numbers for a workload: [`draw`] with a counter.
#[derive(Debug, Clone)]
pub struct Random {
    seed: u64,
    drawn: u64,
}

impl Random {
    /// Starts a stream.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, drawn: 0 }
    }

    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.drawn += 1;
        draw(self.seed, &[self.drawn])
    }

    /// The next number below `bound`.
    ///
    /// # Panics
    ///
    /// When `bound` is zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.draw() % bound
    }

    /// True `percent` times of a hundred.
    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}
