//! A permit while a request has it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use semafence::{Error, FencingToken, LossReason, Name, OwnedPermit};

/// What happens to a request whose lease is lost while it is served: because the backend was away for a ttl, or an
/// operator took the permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnLoss {
    /// It is stopped: the inner future is dropped and answered with 503, or the body ends with
    /// [`Error::Lost`](semafence::Error::Lost). Another request may have its place by now.
    #[default]
    Cut,
    /// It goes on, above the limit.
    GoOn,
}

/// What a handler may know of its permit: an extension of each request that was let in with one.
///
/// What is guarded can refuse a stale token of a slot, as [`Fence`](semafence::Fence) does.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Admitted {
    /// The semaphore.
    pub name: Name,
    /// The fencing token, to be presented together with the slots.
    pub token: FencingToken,
    /// The slots, in ascending order; as many as permits were taken.
    pub slots: Vec<u32>,
}

/// A permit that is held until this is dropped, and an eye on it.
pub(crate) struct Tenure {
    permit: Arc<OwnedPermit>,
    /// Nothing where a loss changes nothing.
    loss: Option<Pin<Box<dyn Future<Output = LossReason> + Send + Sync>>>,
}

impl Tenure {
    pub(crate) fn new(permit: OwnedPermit, on_loss: OnLoss) -> Self {
        let permit = Arc::new(permit);
        let watched = Arc::clone(&permit);
        let loss = match on_loss {
            OnLoss::Cut => Some(Box::pin(async move { watched.lost().await }) as Pin<Box<_>>),
            OnLoss::GoOn => None,
        };
        Self { permit, loss }
    }

    pub(crate) fn admitted(&self) -> Admitted {
        Admitted {
            name: self.permit.name().clone(),
            token: self.permit.token(),
            slots: self.permit.slots().to_vec(),
        }
    }

    /// Ready when the request must stop. Not to be asked again then.
    pub(crate) fn poll_loss(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Some(loss) = &mut self.loss else {
            return Poll::Pending;
        };
        loss.as_mut().poll(cx).map(|reason| Error::Lost {
            name: self.permit.name().clone(),
            token: self.permit.token(),
            reason,
        })
    }
}

impl fmt::Debug for Tenure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.permit.fmt(f)
    }
}
