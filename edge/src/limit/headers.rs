//! What a reply says about the limits: `RateLimit` and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-10),
//! and the three headers that OpenAI clients read.

use adlib_shared::rate::Decision;
use http::{HeaderMap, HeaderValue};

use super::{Limit, PERIOD_MS};

/// Adds the headers of all limits that were judged. OpenAI clients read those of the first limit on requests, and those of
/// the one on tokens.
pub fn mark(headers: &mut HeaderMap, judged: &[(Limit, Decision)]) {
    if judged.is_empty() {
        return;
    }
    let mut set = |name: &'static str, value: String| {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    };
    set("ratelimit-policy", list(judged, |limit, _| policy(limit)));
    set("ratelimit", list(judged, |_, decision| rest(decision)));
    let find = |unit| judged.iter().find(|(limit, _)| limit.meter.unit() == unit);
    if let Some((limit, decision)) = find(None) {
        set("x-ratelimit-limit-requests", limit.gcra.burst().to_string());
        set("x-ratelimit-remaining-requests", decision.remaining.to_string());
        set("x-ratelimit-reset-requests", duration(decision.reset_ms));
    }
    if let Some((limit, decision)) = find(Some("tokens")) {
        set("x-ratelimit-limit-tokens", limit.gcra.burst().to_string());
        set("x-ratelimit-remaining-tokens", decision.remaining.to_string());
        set("x-ratelimit-reset-tokens", duration(decision.reset_ms));
    }
}

/// One item for each limit: its name, then its parameters.
fn list(judged: &[(Limit, Decision)], parameters: impl Fn(&Limit, &Decision) -> String) -> String {
    let item = |(limit, decision): &(Limit, Decision)| {
        format!("\"{}\";{}", limit.meter.policy(), parameters(limit, decision))
    };
    judged.iter().map(item).collect::<Vec<_>>().join(", ")
}

fn policy(limit: &Limit) -> String {
    let unit = limit.meter.unit().map(|unit| format!("qu=\"{unit}\";")).unwrap_or_default();
    format!("q={};{unit}w={}", limit.gcra.burst(), PERIOD_MS / 1000)
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
    use adlib_shared::key::KeyId;
    use adlib_shared::rate::{Gcra, State};

    use super::*;
    use crate::limit::Meter;

    /// What a limit of an unused meter says.
    fn judged(meter: Meter, burst: u32, cost: u32) -> (Limit, Decision) {
        let limit = Limit { meter, gcra: Gcra::new(PERIOD_MS, burst), cost };
        let decision = limit.gcra.take(State::default(), cost, 1_000_000);
        (limit, decision)
    }

    #[test]
    fn the_headers_tell_policy_rest_and_time() {
        let tenant = || Meter::Tenant("acme".to_owned());
        let mut headers = HeaderMap::new();
        mark(&mut headers, &[judged(tenant(), 100, 1), judged(tenant(), 6, 1)]);
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
        mark(&mut nothing, &[]);
        assert!(nothing.is_empty());
    }

    #[test]
    fn tokens_have_a_unit_and_headers_of_their_own() {
        let mut headers = HeaderMap::new();
        mark(&mut headers, &[judged(Meter::Tokens(KeyId([0; 8])), 6000, 1500)]);
        for (name, value) in [
            ("ratelimit-policy", "\"tokens\";q=6000;qu=\"tokens\";w=60"),
            ("ratelimit", "\"tokens\";r=4500;t=15"),
            ("x-ratelimit-limit-tokens", "6000"),
            ("x-ratelimit-remaining-tokens", "4500"),
            ("x-ratelimit-reset-tokens", "15s"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        assert!(!headers.contains_key("x-ratelimit-limit-requests"));
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
