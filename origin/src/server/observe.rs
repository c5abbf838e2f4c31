//! What surrounds every request: its id, its trace, its span, its log line and metrics, and its problem document.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request};
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, Method};
use axum::middleware::Next;
use axum::response::Response;
use http_body::{Frame, SizeHint};
use tracing::{Instrument, Span};
use uuid::Uuid;

use crate::api::record::{Head, Record};
use crate::api::refusal;
use crate::api::trace_parent::TraceParent;

/// Longest request id that is taken from a client.
pub const REQUEST_ID_BYTES_MAX: usize = 128;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

/// Answers a request and keeps its record until the last byte of the response.
pub async fn observe(mut request: Request, next: Next) -> Response {
    let trace = header(request.headers(), "traceparent").and_then(TraceParent::parse);
    let record = Record::begin(Head {
        method: method(request.method()),
        route: request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned(),
        request_id: request_id(request.headers()),
        trace_id: trace.as_ref().map(|trace| trace.trace_id.clone()),
    });
    let span = span(&record, trace.as_ref());
    request.extensions_mut().insert(record.clone());
    let response = next.run(request).instrument(span.clone()).await;
    finish(response, record, span)
}

fn finish(mut response: Response, record: Record, span: Span) -> Response {
    if let Some(code) = refusal::render(&mut response, record.request_id()) {
        record.note_code(code);
    }
    record.note_status(response.status().as_u16());
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(record.request_id()) {
        headers.insert(REQUEST_ID, id);
    }
    headers.entry(SERVER_TIMING).or_insert_with(|| {
        let took_ms = record.arrived().elapsed().as_secs_f64() * 1e3;
        HeaderValue::from_str(&format!("total;dur={took_ms:.1}")).expect("a number is a valid header value")
    });
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private, no-cache"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.map(|body| Body::new(Recorded { body, record, span }))
}

fn span(record: &Record, trace: Option<&TraceParent>) -> Span {
    tracing::info_span!(
        "request",
        request_id = record.request_id(),
        trace_id = trace.map(|trace| trace.trace_id.as_str()),
        parent_id = trace.map(|trace| trace.parent_id.as_str()),
    )
}

/// The client's request id where it is printable and short, a new one otherwise.
fn request_id(headers: &HeaderMap) -> String {
    let usable = |id: &&str| {
        (1..=REQUEST_ID_BYTES_MAX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    let made = || format!("req_{}", Uuid::now_v7().simple());
    header(headers, REQUEST_ID.as_str()).filter(usable).map_or_else(made, str::to_owned)
}

fn method(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// A response's body that holds the request's record: it knows whether the body was taken to its end.
struct Recorded {
    body: Body,
    record: Record,
    span: Span,
}

impl http_body::Body for Recorded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let entered = this.span.enter();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        drop(entered);
        if matches!(polled, Poll::Ready(None)) || this.body.is_end_stream() {
            this.record.note_complete();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let end = self.body.is_end_stream();
        if end {
            self.record.note_complete();
        }
        end
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
