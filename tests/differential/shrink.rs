//! Fewer steps that still show a difference.

use crate::report::Difference;
use crate::step::Run;

/// Plays at most.
const PLAYS: usize = 500;

/// Drops what follows the difference, then ever smaller pieces, as long as some difference is left.
pub(crate) fn shrink(
    mut run: Run,
    mut difference: Difference,
    play: impl Fn(&Run) -> Option<Difference>,
) -> (Run, Difference) {
    run.steps.truncate(difference.index + 1);
    let (mut piece, mut plays) = (run.steps.len().div_ceil(2), 0);
    while piece > 0 && plays < PLAYS {
        let (mut from, before) = (0, run.steps.len());
        while from < run.steps.len() && plays < PLAYS {
            let mut fewer = run.clone();
            fewer.steps.drain(from..(from + piece).min(run.steps.len()));
            plays += 1;
            match play(&fewer) {
                Some(other) => (run, difference) = (fewer, other),
                None => from += piece,
            }
        }
        let dropped = run.steps.len() < before;
        if piece > 1 || !dropped {
            piece /= 2;
        }
    }
    (run, difference)
}
