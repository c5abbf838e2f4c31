//! The hop to the origin: every request is signed, bounded in time, and carries what lets it be traced.

use std::time::{Duration, Instant};

use adlib_shared::problem::Code;
use adlib_shared::signature::{self, Parts, SignatureError, Signed};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Response};

use crate::call::Call;
use crate::failure::Failure;
use crate::log;
use crate::settings::{Settings, Timeouts};
use crate::world::{Incoming, SendError, World};

/// In whose name the edge asks where it asks for itself; no tenant can have this name.
pub const NO_TENANT: &str = "-";
/// How soon a connection has to break for the origin to be asked again.
pub const RETRY_WITHIN: Duration = Duration::from_secs(1);
/// Longest `tracestate` that is passed on, in bytes (W3C Trace Context, section 3.3.1.5).
pub const TRACE_STATE_BYTES_MAX: usize = 512;

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// What the edge asks of the origin.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The method.
    pub method: Method,
    /// The route, without a query.
    pub route: &'static str,
    /// In whose name.
    pub tenant: &'a str,
    /// The media type that the answer should have.
    pub accept: &'static str,
    /// JSON, or nothing.
    pub body: Bytes,
    /// How long the origin may take.
    pub timeouts: Timeouts,
}

/// Why a request could not be made. None of these depends on what a client sends.
#[derive(Debug, thiserror::Error)]
enum HopError {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Head(#[from] http::Error),
}

impl Ask<'_> {
    /// Sends it and returns at the head of the answer, whatever its status.
    ///
    /// Every route of the origin may be asked twice. A connection that breaks at once is most likely one that was kept
    /// open while the origin restarted, so a second is tried.
    ///
    /// # Errors
    /// `origin_unavailable`, `deadline_exceeded` or `origin_failed` where there is no answer.
    pub async fn send<W: World>(
        self,
        world: &W,
        settings: &Settings,
        call: &Call,
    ) -> Result<Response<Incoming>, Failure> {
        let began = Instant::now();
        let first = world.send(self.request(world, settings, call)?, self.timeouts).await;
        match first {
            Err(SendError::Broken(cause)) if began.elapsed() < RETRY_WITHIN => {
                log::warn(&call.id, format_args!("the origin is asked again: {cause}"));
                Ok(world.send(self.request(world, settings, call)?, self.timeouts).await?)
            }
            first => Ok(first?),
        }
    }

    /// The request, signed with a nonce of its own.
    fn request<W: World>(
        &self,
        world: &W,
        settings: &Settings,
        call: &Call,
    ) -> Result<Request<Bytes>, Failure> {
        let nonce = format!("{:032x}", world.entropy());
        self.sign(settings, call, &nonce).map_err(|error| {
            Failure::new(Code::Internal, "the request to the origin cannot be made").because(error)
        })
    }

    fn sign(&self, settings: &Settings, call: &Call, nonce: &str) -> Result<Request<Bytes>, HopError> {
        let Self { method, route, tenant, accept, body, timeouts: _ } = self;
        let digest = signature::content_digest(body);
        let parts = Parts {
            method: method.as_str(),
            path: route,
            content_digest: &digest,
            tenant,
            request_id: call.id.as_str(),
        };
        let Signed { input, signature } = signature::sign(&settings.hop_secret, &parts, call.now_s(), nonce)?;
        let mut request = Request::builder()
            .uri(settings.origin_url.join(route))
            .header(ACCEPT, *accept)
            .header(CONTENT_LENGTH, body.len())
            .header(signature::CONTENT_DIGEST, &digest)
            .header(signature::TENANT, *tenant)
            .header(signature::REQUEST_ID, call.id.as_str())
            .header(signature::SIGNATURE_INPUT, input)
            .header(signature::SIGNATURE, signature)
            .method(method);
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let mut request = request.body(body.clone())?;
        trace(call.headers(), request.headers_mut());
        Ok(request)
    }
}

/// Passes the trace context on (W3C Trace Context), if it is of its form.
fn trace(from: &HeaderMap, to: &mut HeaderMap) {
    let Some(parent) = from.get(TRACE_PARENT).filter(|parent| is_trace_parent(parent)) else { return };
    to.insert(TRACE_PARENT, parent.clone());
    if let Some(state) = from.get(TRACE_STATE).filter(|state| state.len() <= TRACE_STATE_BYTES_MAX) {
        to.insert(TRACE_STATE, state.clone());
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, with ids that are not zero.
fn is_trace_parent(value: &HeaderValue) -> bool {
    let Ok(text) = value.to_str() else { return false };
    let parts: Vec<&str> = text.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else { return false };
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let set = |part: &str| part.bytes().any(|byte| byte != b'0');
    version == "00" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2) && set(trace) && set(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_well_formed_trace_context_is_passed_on() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for (parent, passed) in [
            (good, true),
            (zero, false),
            ("00-abc-def-01", false),
            (&good[3..], false),
            (&good.to_uppercase(), false),
        ] {
            let mut from = HeaderMap::new();
            from.insert(TRACE_PARENT, HeaderValue::from_str(parent).expect("a header value"));
            from.insert(TRACE_STATE, HeaderValue::from_static("vendor=1"));
            let mut to = HeaderMap::new();
            trace(&from, &mut to);
            assert_eq!(to.len(), if passed { 2 } else { 0 }, "{parent}");
        }
    }

    #[test]
    fn a_trace_state_over_its_limit_is_left_out() {
        let good = HeaderValue::from_static("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
        for (length, headers) in [(TRACE_STATE_BYTES_MAX, 2), (TRACE_STATE_BYTES_MAX + 1, 1)] {
            let state = HeaderValue::from_str(&"a".repeat(length)).expect("a header value");
            let mut to = HeaderMap::new();
            trace(&HeaderMap::from_iter([(TRACE_PARENT, good.clone()), (TRACE_STATE, state)]), &mut to);
            assert_eq!(to.len(), headers);
        }
    }
}
