//! A response body that holds the permit until it ends.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::tenure::Tenure;

/// What bodies fail with: the inner body's error, or [`semafence::Error::Lost`].
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

pin_project! {
    /// The body of the inner response, which holds the permit until it ends or is dropped; or that of a rejection.
    ///
    /// Frames, trailers, the size hint and the end of the stream are those of the inner body. The permit goes back as
    /// soon as the last frame is taken, in the background.
    ///
    /// # Errors
    ///
    /// The inner body's error, as it was. [`semafence::Error::Lost`] when the lease was lost and the layer
    /// [cuts](crate::OnLoss::Cut) then; the stream is over after that.
    #[derive(Debug)]
    pub struct LimitedBody<B> {
        #[pin]
        content: Content<B>,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum Content<B> {
        Inner { #[pin] body: B, tenure: Option<Tenure> },
        Whole { bytes: Bytes },
    }
}

impl<B: Body> LimitedBody<B> {
    pub(crate) fn inner(body: B, tenure: Option<Tenure>) -> Self {
        // An empty body need not be polled, and may be kept for a while.
        let tenure = tenure.filter(|_| !body.is_end_stream());
        Self {
            content: Content::Inner { body, tenure },
        }
    }
}

impl<B> LimitedBody<B> {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self {
            content: Content::Whole { bytes },
        }
    }
}

impl<B> Body for LimitedBody<B>
where
    B: Body<Data = Bytes>,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let mut content = self.project().content;
        match content.as_mut().project() {
            Projected::Inner { mut body, tenure } => {
                if let Some(Poll::Ready(lost)) = tenure.as_mut().map(|tenure| tenure.poll_loss(cx)) {
                    content.set(Content::Whole { bytes: Bytes::new() });
                    return Poll::Ready(Some(Err(lost.into())));
                }
                let frame = ready!(body.as_mut().poll_frame(cx));
                // Servers do not poll a body again that says it has ended, and may keep it until all is sent.
                if !matches!(frame, Some(Ok(_))) || body.is_end_stream() {
                    *tenure = None;
                }
                Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
            }
            Projected::Whole { bytes } if bytes.is_empty() => Poll::Ready(None),
            Projected::Whole { bytes } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Inner { body, .. } => body.is_end_stream(),
            Content::Whole { bytes } => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Inner { body, .. } => body.size_hint(),
            Content::Whole { bytes } => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}
