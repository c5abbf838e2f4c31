//! The body of a response on its way to the client.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep, sleep_until};
use wasmtime_wasi_http::{Error, WasiBody};

/// Passes pieces on as they come, holds the request's permit, and fails at the request's deadline.
pub(crate) struct ResponseBody {
    body: WasiBody,
    _permit: Option<Arc<OwnedSemaphorePermit>>,
    deadline: Instant,
    /// Made when a piece is first waited for.
    timer: Option<Pin<Box<Sleep>>>,
}

impl ResponseBody {
    pub(crate) fn new(body: WasiBody, permit: Option<Arc<OwnedSemaphorePermit>>, deadline: Instant) -> Self {
        Self { body, _permit: permit, deadline, timer: None }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(cx) {
            // An instance whose time is over is dropped, and its streams then end as if they were whole.
            Poll::Ready(None) if Instant::now() >= this.deadline => {}
            Poll::Ready(frame) => return Poll::Ready(frame),
            Poll::Pending => {
                let timer = this.timer.get_or_insert_with(|| Box::pin(sleep_until(this.deadline)));
                ready!(timer.as_mut().poll(cx));
            }
        }
        tracing::warn!("a response was cut off: its request's time is over");
        Poll::Ready(Some(Err(Error::ConnectionWriteTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::{BodyExt, Empty};

    use super::*;

    #[tokio::test]
    async fn a_body_that_ends_with_its_requests_time_was_cut() {
        let empty = || Empty::new().map_err(|never| match never {}).boxed_unsync();
        let later = Instant::now() + Duration::from_mins(1);
        assert!(ResponseBody::new(empty(), None, later).frame().await.is_none());
        let frame = ResponseBody::new(empty(), None, Instant::now()).frame().await;
        assert!(matches!(frame, Some(Err(_))), "{frame:?}");
    }
}
