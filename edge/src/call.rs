//! One request on its way through the stages, and what they note about it.

use std::time::Instant;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

use crate::client_address::ClientAddress;
use crate::request_id::RequestId;

/// A request without its body.
#[derive(Debug)]
pub struct Call {
    /// Its name.
    pub id: RequestId,
    /// Its head.
    pub head: Parts,
    /// Where it comes from.
    pub address: ClientAddress,
    /// When it came, in milliseconds since 1970.
    pub now_ms: u64,
    /// Headers that the stages add to the reply, whatever becomes of the request.
    pub notes: HeaderMap,
    began: Instant,
    spans: Vec<(&'static str, f64)>,
}

impl Call {
    /// A request that came at `now_ms`.
    pub fn new(head: Parts, now_ms: u64, entropy: impl FnOnce() -> u128) -> Self {
        Self {
            id: RequestId::choose(head.headers.get("x-request-id"), entropy),
            address: ClientAddress::of(&head.headers),
            head,
            now_ms,
            notes: HeaderMap::new(),
            began: Instant::now(),
            spans: Vec::new(),
        }
    }

    /// The request's headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// When it came, in seconds since 1970.
    pub fn now_s(&self) -> u64 {
        self.now_ms / 1000
    }

    /// Notes a header for the reply, in place of one of the same name.
    pub fn note(&mut self, name: &'static str, value: &impl ToString) {
        if let Ok(value) = HeaderValue::try_from(value.to_string()) {
            self.notes.insert(HeaderName::from_static(name), value);
        }
    }

    /// Notes how long a stage took that began at `from`.
    pub fn time(&mut self, stage: &'static str, from: Instant) {
        self.spans.push((stage, milliseconds(from)));
    }

    /// Adds the notes to the reply's headers, and how long each stage took (`Server-Timing`).
    pub fn mark(&self, reply: &mut HeaderMap) {
        reply.extend(self.notes.iter().map(|(name, value)| (name.clone(), value.clone())));
        let spans = self.spans.iter().copied().chain([("edge", milliseconds(self.began))]);
        let timing: Vec<String> = spans.map(|(stage, ms)| format!("{stage};dur={ms:.2}")).collect();
        if let Ok(value) = HeaderValue::try_from(timing.join(", ")) {
            reply.insert(HeaderName::from_static("server-timing"), value);
        }
        if let Ok(value) = HeaderValue::try_from(self.id.as_str()) {
            reply.insert(HeaderName::from_static("x-request-id"), value);
        }
    }
}

fn milliseconds(from: Instant) -> f64 {
    from.elapsed().as_secs_f64() * 1000.0
}
