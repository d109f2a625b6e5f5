//! One call of a backend: the claim as it is sent, and how long its answer is waited for.

use std::future::Future;
use std::time::Duration;

use crate::backend::Claim;
use crate::clock::{Clock, Timestamp};
use crate::failure::BackendError;

/// The claim as it is sent now: where the caller chose client time, with the time it is.
pub(crate) fn at(claim: &Claim, wall: Timestamp) -> Claim {
    let mut claim = claim.clone();
    claim.client_time = claim.client_time.map(|_| wall);
    claim
}

/// The answer, or a timeout: a backend answers within `timeout` by contract; one that does not is given up on a quarter
/// later.
pub(crate) async fn in_time<T>(
    clock: &dyn Clock,
    timeout: Duration,
    call: impl Future<Output = T>,
) -> Result<T, BackendError> {
    let deadline = clock.now() + timeout + timeout / 4;
    tokio::select! {
        biased;
        answer = call => Ok(answer),
        () = clock.sleep_until(deadline) => Err(BackendError::timed_out(timeout)),
    }
}
