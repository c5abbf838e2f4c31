//! A brief and its copy: hit, miss, and what the request wants of the cache.

use adlib_shared::brief::Brief;
use adlib_shared::event::{Decoder, Event};
use adlib_shared::problem::{self, Code, Problem};
use adlib_shared::signature::{self, Parts, Secret};
use http::StatusCode;
use serde_json::{Value, json};

use super::*;
use crate::harness::{Answered, Harness, brief, written};
use crate::world::SendError;

mod hot;
mod purged;
mod refused;
mod stale;
mod together;

const MODEL: &str = "sha256:one";
/// How long the copy of the brief is fresh: two hours less what its key takes off.
const FRESH_S: u64 = 6886;

/// An edge that has answered the brief once.
fn warm() -> Harness {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    let first = harness.copy(&[], &brief());
    assert_eq!(first.header("cache-status"), "adlib; fwd=uri-miss; stored");
    harness.world().sent();
    harness
}

fn streaming() -> Value {
    let mut brief = brief();
    brief["stream"] = true.into();
    brief
}

fn events(answered: &Answered) -> Vec<Event> {
    assert_eq!(answered.header("content-type"), "text/event-stream");
    Decoder::new().push(answered.body.as_ref().expect("a whole stream")).expect("events")
}

#[test]
fn the_second_time_the_cache_answers() {
    let mut harness = warm();
    harness.now_ms += 90_000;
    let second = harness.copy(&[], &brief());
    assert_eq!(second.status, StatusCode::OK);
    assert_eq!(second.body.as_ref().expect("a copy"), &serde_json::to_vec(&written(MODEL)).expect("a copy"));
    assert_eq!((second.header("cache-status"), second.header("age")), ("adlib; hit; ttl=6796", "90"));
    assert_eq!(second.header("cache-control"), "private, no-cache");
    assert!(second.header("vary").contains("Authorization") && !second.header("etag").is_empty());
    let asked = harness.world().sent();
    assert!(
        asked.iter().all(|request| request.uri().path() == "/v1/models"),
        "only the model is asked for anew"
    );
}

#[test]
fn a_new_instance_answers_from_the_same_store() {
    let harness = warm().restart();
    assert_eq!(harness.copy(&[], &brief()).header("cache-status"), "adlib; hit; ttl=6886");
    assert!(harness.world().sent().is_empty());
}

#[test]
fn the_hop_is_signed_and_carries_the_canonical_brief() {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    harness.copy(&[("x-request-id", "mine-1")], &brief());
    let sent = harness.world().sent();
    let request = sent.last().expect("a request");
    assert_eq!(request.uri(), "http://127.0.0.1:8080/v1/copy");
    let value = |name: &str| request.headers()[name].to_str().expect("visible ASCII");
    let parts = Parts {
        method: "POST",
        path: "/v1/copy",
        content_digest: value("content-digest"),
        tenant: value("adlib-tenant"),
        request_id: value("x-request-id"),
    };
    assert_eq!((parts.tenant, parts.request_id), ("acme", "mine-1"));
    signature::verify_content_digest(parts.content_digest, request.body()).expect("the body's digest");
    let secrets = [Secret::new("a secret for tests only")];
    let signed = (value("signature-input"), value("signature"));
    let verified = signature::verify(&secrets, &parts, signed.0, signed.1, harness.now_ms / 1000);
    assert!(verified.is_ok(), "{verified:?}");
    let canonical = Brief::parse(brief().to_string().as_bytes(), &["en"]).expect("a brief").to_json();
    assert_eq!(request.body(), &canonical);
}

#[test]
fn another_brief_another_tenant_or_another_model_is_another_entry() {
    let harness = warm();
    let mut other = brief();
    other["product"]["name"] = "Coffee".into();
    harness.expect_copy(&written(MODEL));
    assert_eq!(harness.copy(&[], &other).header("cache-status"), "adlib; fwd=uri-miss; stored");

    let mut harness = harness;
    harness.now_ms += crate::models::FRESH_MS;
    harness.expect_model("sha256:two");
    harness.expect_copy(&written("sha256:two"));
    assert_eq!(harness.copy(&[], &brief()).header("cache-status"), "adlib; fwd=uri-miss; stored");
}

#[test]
fn a_copy_of_a_model_that_changed_meanwhile_is_answered_but_not_kept() {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    harness.expect_copy(&written("sha256:two"));
    let answered = harness.copy(&[], &brief());
    assert_eq!((answered.status.as_u16(), answered.header("cache-status")), (200, "adlib; fwd=uri-miss"));
    assert!(harness.world().keys("copy/").is_empty());
    harness.expect_model("sha256:two");
    harness.expect_copy(&written("sha256:two"));
    assert_eq!(harness.copy(&[], &brief()).header("cache-status"), "adlib; fwd=uri-miss; stored");
}

#[test]
fn the_requests_directives_are_honoured() {
    for (directive, status) in [
        ("no-cache", "adlib; fwd=request; stored"),
        ("no-store", "adlib; fwd=bypass"),
        ("max-age=10", "adlib; fwd=request; stored"),
        ("max-age=60", "adlib; hit; ttl=6826"),
        ("min-fresh=7200", "adlib; fwd=request; stored"),
        ("only-if-cached", "adlib; hit; ttl=6826"),
    ] {
        let mut harness = warm();
        harness.now_ms += 60_000;
        harness.expect_model(MODEL);
        harness.expect_copy(&written(MODEL));
        if directive == "no-store" {
            // The model is not asked for, so the origin's first answer has to be the copy.
            harness = Harness::new();
            harness.expect_copy(&written(MODEL));
        }
        let answered = harness.copy(&[("cache-control", directive)], &brief());
        assert_eq!((answered.status.as_u16(), answered.header("cache-status")), (200, status), "{directive}");
    }
}

#[test]
fn only_if_cached_never_asks_for_copy() {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    let answered = harness.copy(&[("cache-control", "only-if-cached")], &brief());
    assert_eq!((answered.status.as_u16(), answered.json()["code"].as_str()), (504, Some("only_if_cached")));
    assert_eq!(answered.header("cache-status"), "adlib; fwd=uri-miss");
    assert_eq!(harness.world().sent().len(), 1);
}

#[test]
fn a_cache_that_is_switched_off_is_not_asked() {
    let harness = Harness::with(&[("cache_ttl_s", "0")]);
    for _ in 0..2 {
        harness.expect_copy(&written(MODEL));
        assert_eq!(harness.copy(&[], &brief()).header("cache-status"), "adlib; fwd=bypass");
    }
    assert!(harness.world().keys("copy/").is_empty());
}

#[test]
fn an_expired_copy_is_written_anew() {
    let mut harness = warm();
    harness.now_ms += 7_200_000;
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    assert_eq!(harness.copy(&[], &brief()).header("cache-status"), "adlib; fwd=stale; stored");
}

#[test]
fn a_stored_copy_is_replayed_as_events_where_they_are_asked_for() {
    for (headers, brief) in [(&[][..], streaming()), (&[("accept", "text/event-stream")], brief())] {
        let answered = warm().copy(headers, &brief);
        assert_eq!(answered.header("cache-status"), "adlib; hit; ttl=6886");
        let events = events(&answered);
        let names: Vec<&str> = events.iter().map(Event::name).collect();
        assert_eq!(names, ["start", "delta", "variant", "done"]);
        assert_eq!(events.last(), Some(&Event::Done(written(MODEL))));
    }
}

#[test]
fn a_stream_passes_through_unchanged_and_its_copy_is_kept() {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    let stream = format!(": keep-alive\n\n{}", Event::Done(written(MODEL)).encode());
    harness.world().expect_body(200, "text/event-stream", stream.clone());
    let first = harness.copy(&[], &streaming());
    assert_eq!(first.header("cache-status"), "adlib; fwd=uri-miss");
    assert_eq!(first.body.expect("a whole stream"), stream);
    assert!(
        harness
            .world()
            .sent()
            .last()
            .is_some_and(|request| request.headers()["accept"] == "text/event-stream")
    );
    let second = harness.copy(&[], &brief());
    assert_eq!(second.header("cache-status"), "adlib; hit; ttl=6886");
    assert_eq!(second.json()["id"], written(MODEL).id);
}

#[test]
fn the_origins_problems_reach_the_client_with_their_retry_after() {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    let body = Problem::new(Code::Overloaded, "the queue is full").to_json();
    let answer = http::Response::builder()
        .status(503)
        .header("content-type", problem::CONTENT_TYPE)
        .header("retry-after", "3")
        .body(vec![Ok(body.into())]);
    harness.world().expect(Ok(answer.expect("a valid head")));
    let answered = harness.copy(&[], &brief());
    assert_eq!((answered.status.as_u16(), answered.header("retry-after")), (503, "3"));
    assert_eq!(answered.json()["code"], "overloaded");
    assert_eq!(answered.json()["instance"], answered.header("x-request-id"));
}

#[test]
fn an_origin_that_is_away_is_named_as_such() {
    let harness = Harness::new();
    let answered = harness.copy(&[], &brief());
    assert_eq!(
        (answered.status.as_u16(), answered.json()["code"].as_str()),
        (503, Some("origin_unavailable"))
    );
    assert!(!answered.json().to_string().contains("scripted"), "the cause is for the log");
    assert_eq!(answered.header("retry-after"), "2");
}

#[test]
fn a_connection_that_breaks_at_once_is_tried_again_but_only_once() {
    for (failures, status) in [(1, 200), (2, 502)] {
        let harness = Harness::new();
        harness.expect_model(MODEL);
        for _ in 0..failures {
            harness.world().expect(Err(SendError::Broken("reset".into())));
        }
        harness.expect_copy(&written(MODEL));
        assert_eq!(harness.copy(&[], &brief()).status.as_u16(), status);
        let asked = harness.world().sent().len();
        assert_eq!(asked, 3, "the model, and two tries");
    }
}

#[test]
fn hits_go_on_while_the_origin_is_away() {
    let mut harness = warm();
    harness.now_ms += crate::models::FRESH_MS;
    assert_eq!(harness.copy(&[], &brief()).header("cache-status"), "adlib; hit; ttl=6881");
}

#[test]
fn an_answer_that_is_not_a_copy_is_refused() {
    for (content_type, body) in [("application/json", "{}"), ("text/html", "<p>"), ("text/event-stream", "")]
    {
        let harness = Harness::new();
        harness.expect_model(MODEL);
        harness.world().expect_body(200, content_type, body);
        let answered = harness.copy(&[], &brief());
        assert_eq!(
            (answered.status.as_u16(), answered.json()["code"].as_str()),
            (502, Some("origin_failed"))
        );
        assert!(harness.world().keys("copy/").is_empty());
    }
}

#[test]
fn a_failing_store_costs_the_hit_but_not_the_copy() {
    let harness = Harness::new();
    harness.world().fail(true);
    harness.expect_model(MODEL);
    for _ in 0..2 {
        harness.expect_copy(&written(MODEL));
        let answered = harness.copy(&[("cache-control", "max-age=60")], &brief());
        assert_eq!((answered.status.as_u16(), answered.header("cache-status")), (200, "adlib; fwd=uri-miss"));
    }
}

#[test]
fn a_language_that_is_not_declared_is_refused() {
    let mut german = brief();
    german["language"] = "de".into();
    let answered = Harness::new().copy(&[], &german);
    assert_eq!(
        (answered.status.as_u16(), answered.json()["code"].as_str()),
        (422, Some("unsupported_language"))
    );
    let harness = Harness::with(&[("languages", "en,de")]);
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    assert_eq!(harness.copy(&[], &german).status, StatusCode::OK);
}

#[test]
fn field_errors_are_listed() {
    let answered =
        Harness::new().copy(&[], &json!({ "channel": "x", "product": { "name": "" }, "colour": 1 }));
    let fields: Vec<String> = answered.json()["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|error| error["field"].as_str().map(str::to_owned))
        .collect();
    for field in ["product.name", "product.description", "colour"] {
        assert!(fields.iter().any(|found| found == field), "{field} in {fields:?}");
    }
}

#[test]
fn events_are_wanted_where_accept_names_them() {
    for (accept, wanted) in [
        ("text/event-stream", true),
        ("application/json, text/event-stream;q=0.5", true),
        ("Text/Event-Stream", true),
        ("text/event-stream;q=0", false),
        ("*/*", false),
        ("", false),
    ] {
        let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
        assert_eq!(accepts_events(&headers), wanted, "{accept}");
    }
}

#[test]
fn query_is_answered_as_post_is_and_knows_conditions() {
    let harness = warm();
    let found = harness.ask(Method::QUERY, "/v1/copy", &[], &brief());
    assert_eq!((found.status, found.header("cache-status")), (StatusCode::OK, "adlib; hit; ttl=6886"));
    let tag = found.header("etag").to_owned();
    for (method, status) in [(Method::QUERY, StatusCode::NOT_MODIFIED), (Method::POST, StatusCode::OK)] {
        let again = harness.ask(method, "/v1/copy", &[("if-none-match", &tag)], &brief());
        assert_eq!((again.status, again.header("etag")), (status, tag.as_str()));
        assert_eq!(again.body.expect("a body").is_empty(), status == StatusCode::NOT_MODIFIED);
    }
    let unsupported = harness.ask(Method::QUERY, "/v1/copy", &[("content-type", "text/plain")], &brief());
    assert_eq!(unsupported.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[test]
fn no_cache_writes_another_copy_of_a_brief_without_a_seed_and_keeps_it() {
    let harness = warm();
    let another = adlib_shared::copy::Copy { seed: 43, ..written(MODEL) };
    harness.expect_copy(&another);
    let fresh = harness.copy(&[("cache-control", "no-cache")], &brief());
    assert_eq!(
        (fresh.header("cache-status"), &fresh.json()["seed"]),
        ("adlib; fwd=request; stored", &json!(43))
    );
    assert_eq!(harness.copy(&[], &brief()).json()["seed"], 43);
}
