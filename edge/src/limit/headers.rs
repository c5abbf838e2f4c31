//! What a reply says about the limit: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10),
//! and the three headers that OpenAI clients read.

use adlib_shared::rate::{Decision, Gcra};
use http::{HeaderMap, HeaderValue};

use super::PERIOD_MS;

/// Adds the headers of one decision.
pub fn mark(headers: &mut HeaderMap, gcra: Gcra, decision: &Decision) {
    let Decision { remaining, reset_ms, retry_after_ms, .. } = *decision;
    let burst = gcra.burst();
    // The draft's `t`: seconds until there is quota again where there is none, else until it is all there.
    let wait_ms = if retry_after_ms > 0 { retry_after_ms } else { reset_ms };
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set("ratelimit-policy", format!("\"key\";q={burst};w={}", PERIOD_MS / 1000));
    set("ratelimit", format!("\"key\";r={remaining};t={}", wait_ms.div_ceil(1000)));
    set("x-ratelimit-limit-requests", burst.to_string());
    set("x-ratelimit-remaining-requests", remaining.to_string());
    set("x-ratelimit-reset-requests", duration(reset_ms));
}

/// A duration as OpenAI writes it: `20ms`, `1.5s`, `6m0s`.
fn duration(ms: u64) -> String {
    match ms {
        0..1000 => format!("{ms}ms"),
        1000..60_000 => format!("{}s", ms as f64 / 1000.0),
        _ => format!("{}m{}s", ms / 60_000, ms % 60_000 / 1000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adlib_shared::rate::State;

    #[test]
    fn the_headers_tell_policy_rest_and_time() {
        let gcra = Gcra::new(PERIOD_MS, 100);
        let mut headers = HeaderMap::new();
        mark(&mut headers, gcra, &gcra.check(State::default(), 1_000_000));
        for (name, value) in [
            ("ratelimit-policy", "\"key\";q=100;w=60"),
            ("ratelimit", "\"key\";r=99;t=1"),
            ("x-ratelimit-limit-requests", "100"),
            ("x-ratelimit-remaining-requests", "99"),
            ("x-ratelimit-reset-requests", "600ms"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
    }

    #[test]
    fn durations_read_as_openai_writes_them() {
        for (ms, text) in
            [(0, "0ms"), (999, "999ms"), (1000, "1s"), (1500, "1.5s"), (60_000, "1m0s"), (361_500, "6m1s")]
        {
            assert_eq!(duration(ms), text);
        }
    }
}
