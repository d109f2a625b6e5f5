//! What the generators draw from.

use semafence_sim::Random;

/// One of them.
pub(crate) fn one<'a, T>(random: &mut Random, of: &'a [T]) -> &'a T {
    let index = random.below(of.len() as u64);
    &of[usize::try_from(index).expect("an index")]
}

/// One of these words.
pub(crate) fn word<'a>(random: &mut Random, of: &[&'a str]) -> &'a str {
    let word: &&str = one(random, of);
    word
}
