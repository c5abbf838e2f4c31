//! What goes back to the client.

use std::pin::Pin;
use std::task::{Context, Poll};

use adlib_shared::problem;
use bytes::Bytes;
use futures::stream::{LocalBoxStream, StreamExt};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Frame, SizeHint};

use crate::etag;
use crate::failure::Failure;
use crate::world::SendError;

/// Headers that most replies have in the end.
const HEADERS: usize = 20;

/// A reply before the headers that every reply has.
#[derive(Debug)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Body,
}

impl Reply {
    /// A reply with a whole body.
    pub fn new(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::with_capacity(HEADERS);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self { status, headers, body: Body::Whole(body.into()) }
    }

    /// `200` with JSON.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self::new(StatusCode::OK, "application/json", body)
    }

    /// `200` with server-sent events.
    pub fn events(body: Body) -> Self {
        let mut reply = Self::new(StatusCode::OK, adlib_shared::event::CONTENT_TYPE, Bytes::new());
        // Reverse proxies that collect a stream before they pass it on are asked not to.
        reply.set(HeaderName::from_static("x-accel-buffering"), "no");
        reply.body = body;
        reply
    }

    /// `200` with JSON documents, each on a line.
    pub fn lines(body: Body) -> Self {
        let reply = Self::new(StatusCode::OK, adlib_shared::batch::CONTENT_TYPE, Bytes::new());
        Self { body, ..reply }
    }

    /// `204`, without a body.
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, headers: HeaderMap::new(), body: Body::Whole(Bytes::new()) }
    }

    /// The same, without its body where the request's `If-None-Match` says that the client has it already (RFC 9110,
    /// section 13.1.2).
    #[must_use]
    pub fn unless_known(mut self, request: &HeaderMap) -> Self {
        let tag = self.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok());
        if tag.is_some_and(|tag| etag::matches(request.get_all(header::IF_NONE_MATCH).iter(), tag)) {
            self.headers.remove(header::CONTENT_TYPE);
            self.status = StatusCode::NOT_MODIFIED;
            self.body = Body::Whole(Bytes::new());
        }
        self
    }

    /// A problem document with the headers that belong to it.
    pub fn problem(failure: Failure) -> Self {
        let Failure { problem, header, .. } = failure;
        let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut reply = Self::new(status, problem::CONTENT_TYPE, problem.to_json());
        if let Some(seconds) = problem.retry_after_s {
            reply.set(header::RETRY_AFTER, seconds.to_string());
        }
        reply.headers.extend(header);
        reply
    }

    /// Sets a header; a value that no header can hold is left out.
    pub fn set(&mut self, name: HeaderName, value: impl TryInto<HeaderValue>) {
        if let Ok(value) = value.try_into() {
            self.headers.insert(name, value);
        }
    }

    /// The reply as it is handed to the runtime. A whole body announces its length, also where `HEAD` asks for the
    /// head alone.
    pub fn into_response(mut self, is_head: bool) -> Response<Body> {
        if let Body::Whole(bytes) = &mut self.body {
            if self.status != StatusCode::NO_CONTENT && self.status != StatusCode::NOT_MODIFIED {
                self.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes.len()));
            }
            if is_head {
                bytes.clear();
            }
        }
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

/// The body of a reply.
pub enum Body {
    /// All of it at once.
    Whole(Bytes),
    /// Pieces as they come. The next is asked for only when the client has taken the last, and dropping the body
    /// drops what makes them.
    Pieces(LocalBoxStream<'static, Result<Bytes, SendError>>),
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Whole(bytes) => f.debug_tuple("Whole").field(&bytes.len()).finish(),
            Self::Pieces(_) => f.write_str("Pieces"),
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = SendError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, SendError>>> {
        match &mut *self {
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Pieces(pieces) => {
                pieces.poll_next_unpin(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Pieces(_) => SizeHint::default(),
        }
    }
}
