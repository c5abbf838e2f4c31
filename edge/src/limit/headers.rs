//! What a reply says about the limits: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10),
//! and the three headers that OpenAI clients read.

use adlib_shared::rate::Decision;
use http::{HeaderMap, HeaderValue};

use super::{Limit, PERIOD_MS};

/// Adds the headers of all limits that were judged. OpenAI clients read the first one's.
pub fn mark(headers: &mut HeaderMap, limits: &[Limit], decisions: &[Decision]) {
    let judged: Vec<(&Limit, &Decision)> = limits.iter().zip(decisions).collect();
    let Some((first, decision)) = judged.first() else { return };
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set(
        "ratelimit-policy",
        list(&judged, |limit, _| format!("q={};w={}", limit.gcra.burst(), PERIOD_MS / 1000)),
    );
    set("ratelimit", list(&judged, |_, decision| rest(decision)));
    set("x-ratelimit-limit-requests", first.gcra.burst().to_string());
    set("x-ratelimit-remaining-requests", decision.remaining.to_string());
    set("x-ratelimit-reset-requests", duration(decision.reset_ms));
}

/// One item for each limit: its name, then its parameters.
fn list(judged: &[(&Limit, &Decision)], parameters: impl Fn(&Limit, &Decision) -> String) -> String {
    let item = |(limit, decision): &(&Limit, &Decision)| {
        format!("\"{}\";{}", limit.meter.policy(), parameters(limit, decision))
    };
    judged.iter().map(item).collect::<Vec<_>>().join(", ")
}

/// What is left, and the draft's `t`: seconds until there is quota again where there is none, else until it is all there.
fn rest(decision: &Decision) -> String {
    let Decision { remaining, reset_ms, retry_after_ms, .. } = *decision;
    let wait_ms = if retry_after_ms > 0 { retry_after_ms } else { reset_ms };
    format!("r={remaining};t={}", wait_ms.div_ceil(1000))
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
    use adlib_shared::rate::{Gcra, State};

    use super::*;
    use crate::limit::Meter;

    #[test]
    fn the_headers_tell_policy_rest_and_time() {
        let key = Meter::Tenant("key".to_owned());
        let of = |burst| Limit { meter: key.clone(), gcra: Gcra::new(PERIOD_MS, burst), cost: 1 };
        let limits = [of(100), of(6)];
        let decisions = limits.each_ref().map(|limit| limit.gcra.check(State::default(), 1_000_000));
        let mut headers = HeaderMap::new();
        mark(&mut headers, &limits, &decisions);
        for (name, value) in [
            ("ratelimit-policy", "\"tenant\";q=100;w=60, \"tenant\";q=6;w=60"),
            ("ratelimit", "\"tenant\";r=99;t=1, \"tenant\";r=5;t=10"),
            ("x-ratelimit-limit-requests", "100"),
            ("x-ratelimit-remaining-requests", "99"),
            ("x-ratelimit-reset-requests", "600ms"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        let mut nothing = HeaderMap::new();
        mark(&mut nothing, &[], &[]);
        assert!(nothing.is_empty());
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
