//! One request on its way through the stages, and what they note about it.

use std::fmt::Write as _;
use std::rc::Rc;
use std::time::{Duration, Instant};

use adlib_shared::rate::Decision;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;

use crate::client_address::ClientAddress;
use crate::hop::Trace;
use crate::limit::{self, Limit};
use crate::record::Record;
use crate::request_id::RequestId;
use crate::stats::Stats;

/// The header that says how the cache took part.
const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");

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
    /// Its place in its trace.
    pub trace: Trace,
    /// What is noted about it for the operator.
    pub record: Record,
    /// Whether the limits know of it.
    pub is_counted: bool,
    /// Whether the store did not answer it.
    pub is_sheltered: bool,
    /// What the limits say, which the reply tells.
    limits: Vec<(Limit, Decision)>,
    began: Instant,
    spans: Vec<(&'static str, Duration)>,
}

impl Call {
    /// A request that came at `now_ms`.
    pub fn new(head: Parts, now_ms: u64, stats: Rc<Stats>, entropy: impl Fn() -> u128) -> Self {
        let id = RequestId::choose(head.headers.get("x-request-id"), &entropy);
        let (trace, began) = (Trace::join(&head.headers, entropy), Instant::now());
        Self {
            record: Record::begin(&id, &trace, now_ms, began, stats),
            id,
            trace,
            address: ClientAddress::of(&head.headers),
            head,
            now_ms,
            is_counted: false,
            is_sheltered: false,
            limits: Vec::new(),
            began,
            spans: Vec::new(),
        }
    }

    /// The same request again, for work that goes on after its reply.
    #[must_use]
    pub fn aside(&self) -> Self {
        Self {
            id: self.id.clone(),
            head: self.head.clone(),
            address: self.address,
            now_ms: self.clock_ms(),
            trace: self.trace.clone(),
            record: self.record.clone(),
            is_counted: true,
            is_sheltered: self.is_sheltered,
            limits: Vec::new(),
            began: Instant::now(),
            spans: Vec::new(),
        }
    }

    /// The request's headers.
    pub fn headers(&self) -> &HeaderMap {
        &self.head.headers
    }

    /// The time now, in milliseconds since 1970.
    pub fn clock_ms(&self) -> u64 {
        self.now_ms + self.elapsed().as_millis() as u64
    }

    /// How long it has been here.
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// When it came, in seconds since 1970.
    pub fn now_s(&self) -> u64 {
        self.now_ms / 1000
    }

    /// Notes what a limit says, in place of what it said before.
    pub fn judge(&mut self, limit: Limit, decision: Decision) {
        match self.limits.iter_mut().find(|(known, _)| known.meter == limit.meter) {
            Some(judged) => judged.1 = decision,
            None => self.limits.push((limit, decision)),
        }
    }

    /// Notes how long a stage took that began at `from`.
    pub fn time(&mut self, stage: &'static str, from: Instant) {
        let took = from.elapsed();
        self.record.time(stage, took);
        self.spans.push((stage, took));
    }

    /// Adds what is noted to the reply's headers, and how long each stage took (`Server-Timing`).
    pub fn mark(&self, reply: &mut HeaderMap) {
        if let Some(Ok(status)) =
            self.record.cache_status().map(|status| HeaderValue::try_from(status.to_string()))
        {
            reply.insert(CACHE_STATUS, status);
        }
        limit::mark(reply, &self.limits);
        let mut timing = String::new();
        for (stage, time) in self.spans.iter().copied().chain([("edge", self.elapsed())]) {
            // Milliseconds with two digits; whole numbers are written several times as fast as fractions.
            let hundredths = time.as_micros() as u64 / 10;
            let comma = if timing.is_empty() { "" } else { ", " };
            let _ = write!(timing, "{comma}{stage};dur={}.{:02}", hundredths / 100, hundredths % 100);
        }
        if let Ok(value) = HeaderValue::try_from(timing) {
            reply.insert(HeaderName::from_static("server-timing"), value);
        }
        if let Ok(value) = HeaderValue::try_from(self.id.as_str()) {
            reply.insert(HeaderName::from_static("x-request-id"), value);
        }
    }
}
