//! A request's place in its trace (W3C Trace Context): the client's trace or a new one, with a span of the edge's own
//! that the origin's work hangs under.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// Longest `tracestate` that is passed on, in bytes (W3C Trace Context, section 3.3.1.5).
pub const TRACE_STATE_BYTES_MAX: usize = 512;

const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");
/// The flags of a trace that starts here: whoever gets it may record it.
const SAMPLED: &str = "01";

/// The edge's span of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// 32 hexadecimal digits, not all zero.
    pub trace_id: String,
    /// 16 hexadecimal digits, not all zero.
    pub span_id: String,
    /// The client's span, where it named one.
    pub parent_id: Option<String>,
    flags: String,
    state: Option<HeaderValue>,
}

impl Trace {
    /// The client's trace where its headers are of their form, else a new one.
    pub fn join(headers: &HeaderMap, entropy: impl Fn() -> u128) -> Self {
        let span_id = HEXLOWER.encode(&(entropy() as u64).max(1).to_be_bytes());
        if let Some([trace_id, parent_id, flags]) = headers.get(TRACE_PARENT).and_then(parent) {
            let state =
                headers.get(TRACE_STATE).filter(|state| state.len() <= TRACE_STATE_BYTES_MAX).cloned();
            return Self { trace_id, span_id, parent_id: Some(parent_id), flags, state };
        }
        let trace_id = HEXLOWER.encode(&entropy().max(1).to_be_bytes());
        Self { trace_id, span_id, parent_id: None, flags: SAMPLED.to_owned(), state: None }
    }

    /// Passes the context on.
    pub fn mark(&self, to: &mut HeaderMap) {
        let Self { trace_id, span_id, flags, parent_id: _, state } = self;
        let mut parent = String::with_capacity(55);
        let _ = write!(parent, "00-{trace_id}-{span_id}-{flags}");
        if let Ok(parent) = HeaderValue::try_from(parent) {
            to.insert(TRACE_PARENT, parent);
            to.extend(state.clone().map(|state| (TRACE_STATE, state)));
        }
    }
}

/// The ids and flags of `00-<32 hex>-<16 hex>-<2 hex>`, with ids that are not zero.
fn parent(value: &HeaderValue) -> Option<[String; 3]> {
    let parts: Vec<&str> = value.to_str().ok()?.split('-').collect();
    let [version, trace, parent, flags] = parts[..] else { return None };
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let set = |part: &str| part.bytes().any(|byte| byte != b'0');
    let holds =
        version == "00" && hex(trace, 32) && hex(parent, 16) && hex(flags, 2) && set(trace) && set(parent);
    holds.then(|| [trace, parent, flags].map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

    fn joined(parent: &str, state: &str) -> (Trace, HeaderMap) {
        let header = |text: &str| HeaderValue::from_str(text).expect("a header value");
        let from = HeaderMap::from_iter([(TRACE_PARENT, header(parent)), (TRACE_STATE, header(state))]);
        let trace = Trace::join(&from, || 0x5eed);
        let mut to = HeaderMap::new();
        trace.mark(&mut to);
        (trace, to)
    }

    #[test]
    fn a_clients_trace_goes_on_under_the_edges_span() {
        let (trace, to) = joined(GOOD, "vendor=1");
        assert_eq!(to[TRACE_PARENT], "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000005eed-00");
        assert_eq!(to[TRACE_STATE], "vendor=1");
        assert_eq!(trace.parent_id.as_deref(), Some("00f067aa0ba902b7"));
    }

    #[test]
    fn without_a_well_formed_one_a_trace_begins_here() {
        let zero = "00-00000000000000000000000000000000-00f067aa0ba902b7-01";
        for parent in [zero, "", "00-abc-def-01", &GOOD[3..], &GOOD.to_uppercase(), &format!("{GOOD}-x")] {
            let (trace, to) = joined(parent, "vendor=1");
            assert_eq!(to[TRACE_PARENT], format!("00-{:032x}-{:016x}-01", 0x5eed, 0x5eed), "{parent}");
            assert!(!to.contains_key(TRACE_STATE) && trace.parent_id.is_none(), "{parent}");
        }
    }

    #[test]
    fn a_trace_state_over_its_limit_is_left_out() {
        for (length, passed) in [(TRACE_STATE_BYTES_MAX, true), (TRACE_STATE_BYTES_MAX + 1, false)] {
            let (_, to) = joined(GOOD, &"a".repeat(length));
            assert_eq!(to.contains_key(TRACE_STATE), passed);
        }
    }
}
