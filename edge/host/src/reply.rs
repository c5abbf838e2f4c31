//! What the host itself answers: problem documents, and the health route.

use std::sync::Arc;

use adlib_shared::problem::{Code, Problem};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::Instant;
use wasmtime_wasi_http::WasiBody;

use crate::response_body::ResponseBody;

/// A client that is told to come back is told to wait this long, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// Why the component does not answer a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// `Limits::requests_max` or `Limits::instances_max`.
    Overloaded,
    /// `Limits::request_time_max`.
    Late,
    /// `Limits::request_body_bytes_max`.
    BodyTooLarge,
    /// No route of the manifest.
    NoRoute,
    /// The component trapped, or answered with an error instead of a response.
    Failed,
}

impl Refusal {
    fn problem(self) -> Problem {
        let (code, detail) = match self {
            Self::Overloaded => (Code::Overloaded, "the edge is serving as many requests as it may"),
            Self::Late => (Code::DeadlineExceeded, "the edge did not answer in time"),
            Self::BodyTooLarge => (Code::TooLarge, "the request's body is larger than the edge takes"),
            Self::NoRoute => (Code::NotFound, "no application is at this path"),
            Self::Failed => (Code::Internal, "the edge failed while it handled this request"),
        };
        let mut problem = Problem::new(code, detail);
        problem.retry_after_s = (self == Self::Overloaded).then_some(RETRY_AFTER_S);
        problem
    }

    pub(crate) fn response(self) -> Response<ResponseBody> {
        let problem = self.problem();
        let body = problem.to_json();
        let mut response = full(problem.code.status(), "application/problem+json", body.into());
        if let Some(seconds) = problem.retry_after_s {
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// Spin's health route.
pub(crate) fn healthy() -> Response<ResponseBody> {
    full(StatusCode::OK.as_u16(), "text/plain", Bytes::from_static(b"OK"))
}

/// The request's head is not what HTTP asks for.
pub(crate) fn malformed(why: &'static str) -> Response<ResponseBody> {
    full(StatusCode::BAD_REQUEST.as_u16(), "text/plain", Bytes::from_static(why.as_bytes()))
}

/// The component's response, which holds the request's permit until its last byte is sent.
pub(crate) fn guest(
    response: Response<WasiBody>,
    permit: Arc<OwnedSemaphorePermit>,
    deadline: Instant,
) -> Response<ResponseBody> {
    response.map(|body| ResponseBody::new(body, Some(permit), deadline))
}

fn full(status: u16, content_type: &'static str, body: Bytes) -> Response<ResponseBody> {
    let bytes = body.len();
    let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
    // A whole body is never waited for, so its deadline does not matter.
    let mut response = Response::new(ResponseBody::new(body, None, Instant::now()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CONTENT_LENGTH, bytes.into());
    response
}
