//! What is noted about one request: for its log line, its metrics and its headers.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use adlib_shared::copy::Usage;

use crate::telemetry::metrics;

/// The tenant of requests that no edge has signed.
const TENANT_LOCAL: &str = "local";

/// One request from its arrival to its last byte. When the last clone goes, the request is logged and counted: once,
/// however it ended.
#[derive(Debug, Clone)]
pub struct Record(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    arrived: Instant,
    head: Head,
    noted: Mutex<Noted>,
}

/// What is known when a request arrives.
#[derive(Debug)]
pub struct Head {
    /// The method; `other` where it is no usual one, so that clients cannot invent label values.
    pub method: &'static str,
    /// The route's pattern; `unmatched` where there is none.
    pub route: String,
    /// The client's request id or one that was made.
    pub request_id: String,
    /// The trace that the request belongs to, if its caller named one.
    pub trace_id: Option<String>,
}

/// What becomes known as a request is worked on.
#[derive(Debug, Default)]
struct Noted {
    tenant: Option<String>,
    status: Option<u16>,
    code: Option<&'static str>,
    usage: Option<Usage>,
    first_text: Option<Duration>,
    complete: bool,
}

impl Record {
    /// Begins the record of a request that arrives now.
    pub fn begin(head: Head) -> Self {
        Self(Arc::new(Inner { arrived: Instant::now(), head, noted: Mutex::default() }))
    }

    /// When the request's head had been read.
    pub fn arrived(&self) -> Instant {
        self.0.arrived
    }

    /// The request's id.
    pub fn request_id(&self) -> &str {
        &self.0.head.request_id
    }

    /// Whose request it is.
    pub fn tenant(&self) -> String {
        self.0.note(|noted| noted.tenant.clone()).unwrap_or_else(|| TENANT_LOCAL.to_owned())
    }

    /// A verified signature names the tenant.
    pub fn note_tenant(&self, tenant: &str) {
        self.0.note(|noted| noted.tenant = Some(tenant.to_owned()));
    }

    /// The response's head is decided.
    pub fn note_status(&self, status: u16) {
        self.0.note(|noted| noted.status = Some(status));
    }

    /// The request failed, with a code of the contract; in a stream that can be after the head.
    pub fn note_code(&self, code: &'static str) {
        self.0.note(|noted| noted.code = Some(code));
    }

    /// The copy is complete and took these tokens.
    pub fn note_usage(&self, usage: Usage) {
        self.0.note(|noted| noted.usage = Some(usage));
    }

    /// Text of the copy exists; only the first call counts.
    pub fn note_text(&self) {
        let elapsed = self.0.arrived.elapsed();
        self.0.note(|noted| noted.first_text.get_or_insert(elapsed).to_owned());
    }

    /// The whole response was handed to the connection.
    pub fn note_complete(&self) {
        self.0.note(|noted| noted.complete = true);
    }
}

impl Inner {
    fn note<T>(&self, change: impl FnOnce(&mut Noted) -> T) -> T {
        change(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let duration = self.arrived.elapsed();
        let Noted { tenant, status, code, usage, first_text, complete } = self.note(std::mem::take);
        let Head { method, route, request_id, trace_id } = &self.head;
        // A request without a status, or with a response that was not taken to its end, was left by its client.
        let outcome = if complete { code.unwrap_or("ok") } else { "client_gone" };
        metrics::count_request(method, route, status, outcome, duration);
        if let Some(first_text) = first_text {
            metrics::time_first_text(first_text);
        }
        if let Some(usage) = usage {
            metrics::count_tokens(&usage);
        }
        if is_probe(route) {
            return tracing::debug!(method, route, status, request_id, "probe");
        }
        tracing::info!(
            method,
            route,
            status,
            outcome,
            duration_ms = milliseconds(duration),
            first_text_ms = first_text.map(milliseconds),
            tenant,
            request_id,
            trace_id,
            prompt_tokens = usage.map(|usage| usage.prompt_tokens),
            cached_tokens = usage.map(|usage| usage.cached_tokens),
            completion_tokens = usage.map(|usage| usage.completion_tokens),
            "request"
        );
    }
}

/// Probes and scrapes come every few seconds: they are counted like any request, but fill no log.
fn is_probe(route: &str) -> bool {
    matches!(route, "/healthz" | "/readyz" | "/metrics")
}

/// Milliseconds, to a hundredth.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 100_000.0).round() / 100.0
}
