//! What holds for every request: who is let in, what a reply carries, and what becomes of bad input.

use adlib_shared::limits::BODY_BYTES_MAX;
use http::{HeaderValue, Method, Request, StatusCode};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::{Answered, Harness, brief, key};

fn get(path: &str) -> Request<bytes::Bytes> {
    Request::get(path).body(bytes::Bytes::new()).expect("a request")
}

fn code(answered: &Answered) -> String {
    answered.json()["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn health_needs_no_key_and_no_settings() {
    for harness in [Harness::new(), Harness::with(&[("hop_secret", "short")])] {
        let answered = harness.send(get("/healthz"));
        assert_eq!((answered.status, answered.body.expect("a body")), (StatusCode::OK, "ok\n".into()));
    }
}

#[test]
fn wrong_settings_answer_nothing_else_and_tell_the_client_nothing() {
    let harness = Harness::with(&[("hop_secret", "short")]);
    let answered = harness.copy(&[], &brief());
    assert_eq!((answered.status.as_u16(), code(&answered).as_str()), (500, "internal"));
    assert!(!answered.json().to_string().contains("hop_secret"));
    assert_eq!(harness.send(get("/readyz")).status, StatusCode::SERVICE_UNAVAILABLE);
}

#[test]
fn every_guarded_route_asks_for_a_key() {
    for path in ["/v1/channels", "/v1/tones", "/v1/frameworks", "/v1/models", "/v1/copies/copy_1"] {
        let answered = Harness::new().send(get(path));
        assert_eq!((answered.status.as_u16(), code(&answered).as_str()), (401, "unauthorized"), "{path}");
        assert_eq!(answered.header("www-authenticate"), "Bearer realm=\"adlib\"");
        assert_eq!(answered.header("content-type"), "application/problem+json");
    }
    for path in ["/v1/copy", "/v1/copy/batch", "/v1/check", "/admin/cache/purge"] {
        let request = Request::post(path).body(bytes::Bytes::new()).expect("a request");
        assert_eq!(Harness::new().send(request).status, StatusCode::UNAUTHORIZED);
    }
}

#[test]
fn an_unknown_path_or_method_is_told_before_any_key() {
    let harness = Harness::new();
    assert_eq!(code(&harness.send(get("/v2/copy"))), "not_found");
    let answered = harness.send(get("/v1/copy"));
    assert_eq!((answered.status.as_u16(), code(&answered).as_str()), (405, "method_not_allowed"));
    assert_eq!(answered.header("allow"), "POST, QUERY, OPTIONS");
}

#[test]
fn the_catalogs_come_from_the_edge_itself() {
    let harness = Harness::new();
    for (path, least) in [("/v1/channels", 18), ("/v1/tones", 24), ("/v1/frameworks", 6)] {
        let answered = harness.ask(Method::GET, path, &[], &Value::Null);
        assert!(answered.json()["data"].as_array().is_some_and(|data| data.len() >= least), "{path}");
        let tag = answered.header("etag").to_owned();
        let again = harness.ask(Method::GET, path, &[("if-none-match", &tag)], &Value::Null);
        assert_eq!((again.status, again.header("etag")), (StatusCode::NOT_MODIFIED, tag.as_str()), "{path}");
        assert!(again.body.expect("a body").is_empty());
    }
    assert!(harness.world().sent().is_empty());
}

#[test]
fn head_announces_the_length_without_the_body() {
    let harness = Harness::new();
    let whole = harness.send(get("/healthz"));
    let request = Request::head("/healthz").body(bytes::Bytes::new()).expect("a request");
    let head = harness.send(request);
    assert_eq!(
        (head.status, head.header("content-length")),
        (StatusCode::OK, whole.header("content-length"))
    );
    assert!(head.body.expect("a body").is_empty());
}

#[test]
fn every_reply_is_named_timed_and_guarded() {
    let harness = Harness::new();
    for answered in [
        harness.send(get("/healthz")),
        harness.send(get("/nowhere")),
        harness.copy(&[], &json!({})),
        harness.ask(Method::GET, "/v1/channels", &[], &Value::Null),
    ] {
        assert_eq!(answered.header("x-content-type-options"), "nosniff");
        assert!(answered.header("content-security-policy").contains("default-src 'none'"));
        assert!(answered.header("server-timing").contains("edge;dur="));
        assert!(!answered.header("cache-control").is_empty());
        assert_eq!(answered.header("x-request-id").len(), 32);
        if answered.status.is_client_error() {
            assert_eq!(answered.json()["instance"], answered.header("x-request-id"));
        }
    }
    let named = harness.ask(Method::GET, "/v1/tones", &[("x-request-id", "mine-1")], &Value::Null);
    assert_eq!(named.header("x-request-id"), "mine-1");
}

#[test]
fn a_browser_is_answered_only_where_its_origin_is_listed() {
    let harness = Harness::with(&[("cors_origins", "https://app.example")]);
    for (origin, allowed) in [("https://app.example", true), ("https://other.example", false)] {
        let answered = harness.ask(Method::GET, "/v1/tones", &[("origin", origin)], &Value::Null);
        let expected = if allowed { origin } else { "" };
        assert_eq!(answered.header("access-control-allow-origin"), expected);
        let preflight = Request::options("/v1/copy")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .body(bytes::Bytes::new())
            .expect("a request");
        let answered = harness.send(preflight);
        assert_eq!(answered.status, StatusCode::NO_CONTENT);
        assert_eq!(answered.header("access-control-allow-methods").contains("POST"), allowed);
        assert_eq!(answered.header("allow"), "POST, QUERY, OPTIONS");
        assert_eq!(answered.header("accept-query"), "\"application/json\"");
    }
}

#[test]
fn a_key_is_limited_to_its_rate_and_told_so() {
    let harness = Harness::with(&[("rate_per_minute", "3")]);
    for remaining in ["2", "1", "0"] {
        let answered = harness.ask(Method::GET, "/v1/tones", &[], &Value::Null);
        assert_eq!(answered.status, StatusCode::OK);
        assert_eq!(answered.header("x-ratelimit-remaining-requests"), remaining);
    }
    let refused = harness.ask(Method::GET, "/v1/tones", &[], &Value::Null);
    assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (429, "rate_limited"));
    assert_eq!((refused.header("retry-after"), refused.header("x-ratelimit-limit-requests")), ("20", "3"));
    assert_eq!(refused.header("ratelimit"), "\"key\";r=0;t=20");
}

#[test]
fn the_hundredth_request_of_a_minute_passes_and_the_next_does_not() {
    let mut harness = Harness::new();
    for request in 0..100 {
        if request == 50 {
            harness = harness.restart();
        }
        assert_eq!(harness.ask(Method::GET, "/v1/tones", &[], &Value::Null).status, StatusCode::OK);
    }
    assert_eq!(
        harness.ask(Method::GET, "/v1/tones", &[], &Value::Null).status,
        StatusCode::TOO_MANY_REQUESTS
    );
}

#[test]
fn an_address_that_fails_too_often_is_refused_while_others_and_valid_keys_pass() {
    let harness = Harness::with(&[("failures_per_minute", "2")]);
    let from = |address: &str, authorization: &str| {
        let request = Request::get("/v1/tones")
            .header("spin-client-addr", address)
            .header("authorization", authorization)
            .body(bytes::Bytes::new());
        harness.send(request.expect("a request")).status.as_u16()
    };
    for expected in [401, 401, 429, 429] {
        assert_eq!(from("192.0.2.1:4000", "Bearer junk"), expected);
    }
    assert_eq!(from("192.0.2.2:4000", "Bearer junk"), 401);
    assert_eq!(from("192.0.2.1:4001", &format!("Bearer {}", key().expose())), 200);
}

#[test]
fn bad_bodies_get_a_problem_and_go_no_further() {
    let harness = Harness::with(&[("rate_per_minute", "0")]);
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    let long = format!("{{\"a\":\"{}\"}}", "a".repeat(BODY_BYTES_MAX));
    let huge = "a".repeat(1024 * 1024);
    for (content_type, body, status, expected) in [
        ("application/json", b"".as_slice(), 400, "malformed_json"),
        ("application/json", b"{", 400, "malformed_json"),
        ("application/json", b"\xff\xfe", 400, "malformed_json"),
        ("application/json", deep.as_bytes(), 400, "malformed_json"),
        ("application/json", b"{}", 422, "invalid_field"),
        ("application/json", b"[]", 422, "invalid_field"),
        ("application/json", long.as_bytes(), 413, "too_large"),
        ("application/json", huge.as_bytes(), 413, "too_large"),
        ("text/plain", b"{}", 415, "unsupported_media_type"),
        ("", b"{}", 415, "unsupported_media_type"),
    ] {
        for path in ["/v1/copy", "/v1/check"] {
            let request = Request::post(path)
                .header("authorization", format!("Bearer {}", key().expose()))
                .header("content-type", content_type)
                .body(bytes::Bytes::copy_from_slice(body))
                .expect("a request");
            let answered = harness.send(request);
            assert_eq!((answered.status.as_u16(), code(&answered).as_str()), (status, expected), "{path}");
        }
    }
    assert!(harness.world().sent().is_empty() && harness.world().keys("copy/").is_empty());
}

#[test]
fn a_text_is_checked_without_the_origin() {
    let harness = Harness::new();
    let fits = json!({ "channel": "x", "fields": { "post": "Green tea from a small garden." } });
    let answered = harness.ask(Method::POST, "/v1/check", &[], &fits);
    assert_eq!((answered.status.as_u16(), answered.json()["ok"].as_bool()), (200, Some(true)));
    let long = json!({ "channel": "x", "fields": { "post": "tea ".repeat(100) } });
    let answered = harness.ask(Method::POST, "/v1/check", &[], &long);
    assert_eq!((answered.status.as_u16(), answered.json()["ok"].as_bool()), (200, Some(false)));
    assert!(answered.json()["checks"].as_array().is_some_and(|checks| !checks.is_empty()));
    assert!(harness.world().sent().is_empty());
}

#[test]
fn a_key_does_what_its_scopes_name_and_reads_the_catalog_with_any() {
    let harness = Harness::new();
    let text = json!({ "channel": "x", "fields": { "post": "Green tea." } });
    for (scope, checks) in [("copy", 200), ("check", 200), ("jobs", 403), ("admin", 403)] {
        let ask = |method, path, body| harness.ask_as(scope, scope, method, path, body).status.as_u16();
        assert_eq!(ask(Method::POST, "/v1/check", &text), checks, "{scope}");
        assert_eq!(ask(Method::GET, "/v1/channels", &Value::Null), 200, "{scope}");
        let of_copies = if scope == "copy" { 404 } else { 403 };
        assert_eq!(ask(Method::GET, "/v1/copies/copy_1", &Value::Null), of_copies, "{scope}");
    }
}

#[test]
fn readiness_is_the_origins_and_names_its_reasons() {
    let harness = Harness::new();
    let ready = || {
        let answered = harness.send(get("/readyz"));
        (answered.status.as_u16(), answered.json())
    };
    let away = json!({ "ready": false, "reasons": ["the origin cannot be reached"] });
    assert_eq!(ready(), (503, away));
    harness.world().expect_body(503, "application/json", r#"{"ready":false,"reasons":["loading"]}"#);
    let loading = json!({ "ready": false, "reasons": ["origin: loading", "the origin is not ready"] });
    assert_eq!(ready(), (503, loading));
    harness.world().expect_body(503, "text/html", "<p>");
    assert_eq!(ready(), (503, json!({ "ready": false, "reasons": ["the origin is not ready"] })));
    harness.world().expect_body(200, "application/json", r#"{"ready":true,"reasons":[]}"#);
    assert_eq!(ready(), (200, json!({ "ready": true, "reasons": [] })));
}

/// The headers that the edge reads.
const READ: [&str; 12] = [
    "accept",
    "authorization",
    "cache-control",
    "content-encoding",
    "content-length",
    "content-type",
    "if-none-match",
    "origin",
    "spin-client-addr",
    "traceparent",
    "tracestate",
    "x-request-id",
];

fn header_values() -> impl Strategy<Value = Vec<(&'static str, Vec<u8>)>> {
    let bytes = prop::collection::vec(prop_oneof![9 => 0x20..0x7f_u8, 1 => 0x80..=0xff_u8], 0..60);
    prop::collection::vec((prop::sample::select(&READ[..]), bytes), 0..8)
}

proptest! {
    #[test]
    fn whatever_comes_in_a_whole_reply_goes_out(
        method in prop::sample::select(&["GET", "POST", "HEAD", "OPTIONS", "PUT", "ODD"][..]),
        path in prop_oneof![
            Just("/v1/copy".to_owned()), Just("/v1/check".to_owned()), Just("/v1/models".to_owned()), "/[!-~&&[^#]]{0,20}",
        ],
        headers in header_values(),
        has_key in any::<bool>(),
        body in prop_oneof![prop::collection::vec(any::<u8>(), 0..400), "[{\\[\"a:1,\\]}]{0,60}".prop_map(String::into_bytes)],
    ) {
        let harness = Harness::with(&[("cors_origins", "https://app.example")]);
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(name, HeaderValue::from_bytes(&value).expect("no control characters"));
        }
        if has_key {
            let key = format!("Bearer {}", key().expose());
            request = request.header("authorization", key).header("content-type", "application/json");
        }
        let Ok(request) = request.body(body.into()) else { return Ok(()) };
        let answered = harness.send(request);
        prop_assert!(answered.body.is_ok());
        prop_assert_ne!(answered.status, StatusCode::INTERNAL_SERVER_ERROR);
        prop_assert!(!answered.header("x-request-id").is_empty());
    }
}
