//! One request: first its permit, then its response.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use semafence::{Error, OwnedPermit};
use tower_service::Service;

use crate::body::LimitedBody;
use crate::door::Entering;
use crate::layer::{OnOutage, Settings};
use crate::rejection::Rejection;
use crate::tenure::Tenure;

pin_project! {
    /// Waits for a permit, then for the inner response.
    ///
    /// # Errors
    ///
    /// Those of the inner service, as they are. What the layer itself has to say is a response.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it leaves no place in the queue behind; dropped later, it gives the permit back.
    pub struct ResponseFuture<S: Service<Request<ReqBody>>, ReqBody> {
        #[pin]
        stage: Stage<S, S::Future, ReqBody>,
        settings: Arc<Settings>,
    }
}

pin_project! {
    #[project = Projected]
    enum Stage<S, F, ReqBody> {
        Entering { entering: Entering, next: Option<(S, Request<ReqBody>)> },
        Inside { #[pin] response: F, tenure: Option<Tenure> },
        Over,
    }
}

impl<S: Service<Request<ReqBody>>, ReqBody> ResponseFuture<S, ReqBody> {
    /// A request that needs a permit first; `ready` has been polled ready.
    pub(crate) fn limited(entering: Entering, ready: S, request: Request<ReqBody>, settings: Arc<Settings>) -> Self {
        let next = Some((ready, request));
        Self {
            stage: Stage::Entering { entering, next },
            settings,
        }
    }

    pub(crate) fn unlimited(response: S::Future, settings: Arc<Settings>) -> Self {
        Self {
            stage: Stage::Inside { response, tenure: None },
            settings,
        }
    }
}

impl<S, ReqBody, ResBody> Future for ResponseFuture<S, ReqBody>
where
    S: Service<Request<ReqBody>, Response = Response<ResBody>>,
    ResBody: Body,
{
    type Output = Result<Response<LimitedBody<ResBody>>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            match this.stage.as_mut().project() {
                Projected::Entering { entering, next } => {
                    let entered = this.settings.judge(ready!(entering.as_mut().poll(cx)));
                    let (mut inner, mut request) = next.take().expect("taken only when the stage ends");
                    let tenure = match entered {
                        Ok(tenure) => tenure,
                        Err(rejection) => {
                            this.stage.set(Stage::Over);
                            return Poll::Ready(Ok(this.settings.reject(&rejection)));
                        }
                    };
                    if let Some(tenure) = &tenure {
                        request.extensions_mut().insert(tenure.admitted());
                    }
                    let response = inner.call(request);
                    this.stage.set(Stage::Inside { response, tenure });
                }
                Projected::Inside { response, tenure } => {
                    if let Some(Poll::Ready(lost)) = tenure.as_mut().map(|tenure| tenure.poll_loss(cx)) {
                        this.stage.set(Stage::Over);
                        return Poll::Ready(Ok(this.settings.reject(&lost.into())));
                    }
                    let response = ready!(response.poll(cx));
                    let tenure = tenure.take();
                    this.stage.set(Stage::Over);
                    return Poll::Ready(response.map(|response| response.map(|body| LimitedBody::inner(body, tenure))));
                }
                Projected::Over => panic!("polled after it was ready"),
            }
        }
    }
}

impl Settings {
    /// What becomes of a request: it has a permit, goes without one, or is rejected.
    fn judge(&self, entered: Result<OwnedPermit, Rejection>) -> Result<Option<Tenure>, Rejection> {
        match entered {
            Ok(permit) => Ok(Some(Tenure::new(permit, self.on_loss))),
            Err(Rejection::Failed(Error::Backend { .. } | Error::Unacknowledged { .. }))
                if self.on_outage == OnOutage::Admit =>
            {
                Ok(None)
            }
            Err(rejection) => Err(rejection),
        }
    }

    fn reject<B>(&self, rejection: &Rejection) -> Response<LimitedBody<B>> {
        self.responses.of(rejection).map(LimitedBody::whole)
    }
}

impl<S: Service<Request<ReqBody>>, ReqBody> fmt::Debug for ResponseFuture<S, ReqBody> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Entering { .. } => "entering",
            Stage::Inside { .. } => "inside",
            Stage::Over => "over",
        };
        f.debug_struct("ResponseFuture")
            .field("stage", &stage)
            .finish_non_exhaustive()
    }
}
