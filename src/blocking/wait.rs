//! A thread that waits for what a runtime does.

use std::future::Future;
use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tracing::Instrument;

/// Carries out `call` on the keeper's runtime while this thread sleeps.
///
/// # Panics
///
/// In a thread that is driving async tasks; as `call` panics.
#[track_caller]
pub(crate) fn wait<T: Send + 'static>(runtime: &Handle, call: impl Future<Output = T> + Send + 'static) -> T {
    check_that_this_thread_may_wait();
    let (tell, told) = oneshot::channel();
    // Within what this thread is doing, or spans of the call would have no parent.
    let call = call.in_current_span();
    runtime.spawn(async move {
        let answer = AssertUnwindSafe(call).catch_unwind().await;
        assert!(tell.send(answer).is_ok(), "the thread waits until it is told");
    });
    let answer = told
        .blocking_recv()
        .expect("the keeper's runtime lives as long as its client");
    answer.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Before anything is sent: what nobody receives would have to be given back. That a thread may not wait is told by tokio
/// with a panic only, which does not know what else there is.
#[track_caller]
fn check_that_this_thread_may_wait() {
    let (tell, told) = oneshot::channel::<()>();
    drop(tell);
    let tried = std::panic::catch_unwind(AssertUnwindSafe(|| told.blocking_recv()));
    assert!(tried.is_ok(), "{CANNOT_WAIT}");
}

const CANNOT_WAIT: &str = "a blocking call of semafence in a thread that drives async tasks would stop all of them: \
    await the same call of the async API (`as_async()` leads there), or make it within `tokio::task::spawn_blocking`";
