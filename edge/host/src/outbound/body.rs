//! The body of an outbound response, under the time-out between two of its pieces.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep};
use wasmtime_wasi_http::Error;

/// Fails when the next piece takes longer than `wait`.
pub(super) struct TimedBody {
    body: Incoming,
    wait: Duration,
    /// Made when a piece is first waited for, so that a body that is there already costs no timer.
    timer: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl TimedBody {
    pub(super) fn new(body: Incoming, wait: Duration) -> Self {
        Self { body, wait, timer: None, waiting: false }
    }
}

impl Body for TimedBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.waiting = false;
            return Poll::Ready(frame.map(|frame| frame.map_err(Error::from)));
        }
        let timer = this.timer.get_or_insert_with(|| Box::pin(sleep(this.wait)));
        if !this.waiting {
            timer.as_mut().reset(Instant::now() + this.wait);
            this.waiting = true;
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Some(Err(Error::ConnectionReadTimeout)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
