//! The least a component can do. What it takes is the floor under every component in the same runtime.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue};
use http_body_util::BodyExt as _;
use spin_sdk::http::{FullBody, IntoResponse, Request, Response};
use spin_sdk::http_service;

/// Longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
static ANSWER: [u8; ANSWER_BYTES_MAX] = [b'a'; ANSWER_BYTES_MAX];

/// Reads the request's body, if it has one, and answers with as many bytes as the path says: `/5` with five.
#[http_service]
async fn handle(request: Request) -> impl IntoResponse {
    let length = request.uri().path()[1..].parse::<usize>().unwrap_or_default().min(ANSWER_BYTES_MAX);
    if request.headers().contains_key(CONTENT_LENGTH) {
        let _ = request.into_body().collect().await;
    }
    let mut response = Response::new(FullBody::new(Bytes::from_static(&ANSWER[..length])));
    response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    response
}
