//! Each request's one line.

use adlib_shared::event::Event;
use http::{Method, Request, Response};
use serde_json::{Value, json};

use crate::harness::{Harness, brief, key, written};
use crate::log::written as log;
use crate::world::SendError;

const MODEL: &str = "sha256:one";

/// The lines about whole requests since the last call.
fn requests() -> Vec<Value> {
    let lines = log::take();
    let lines = lines.iter().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    lines.filter(|line| line["event"] == "request").collect()
}

fn stream_of(harness: &Harness, pieces: Vec<Result<bytes::Bytes, SendError>>) {
    let head = Response::builder().status(200).header("content-type", "text/event-stream");
    harness.world().expect(Ok(head.body(pieces).expect("a valid head")));
}

#[test]
fn a_miss_and_a_hit_have_one_line_each() {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    let miss = harness.copy(&[("x-request-id", "mine-1")], &brief());
    harness.copy(&[], &brief());
    let [first, second] = &requests()[..] else { panic!("one line each") };
    for (name, value) in [
        ("level", json!("info")),
        ("request_id", json!("mine-1")),
        ("route", json!("/v1/copy")),
        ("status", json!(200)),
        ("tenant", json!("acme")),
        ("key", json!("tests")),
        ("cache", json!(miss.header("cache-status"))),
        ("origin", json!("http://127.0.0.1:8080")),
        ("attempts", json!(2)),
        ("complete", json!(true)),
    ] {
        assert_eq!(first[name], value, "{name}");
    }
    assert!(first["stages_ms"]["origin"].is_number() && first["duration_ms"].is_number(), "{first}");
    assert!(second["cache"].as_str().is_some_and(|cache| cache.starts_with("adlib; hit")), "{second}");
    assert_eq!((&second["attempts"], second.get("origin")), (&json!(0), None));
}

#[test]
fn the_line_is_a_span_of_the_clients_trace() {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
    harness.copy(&[("traceparent", &format!("00-{trace}-{parent}-01"))], &brief());
    let line = requests().remove(0);
    assert_eq!((&line["trace_id"], &line["parent_id"]), (&json!(trace), &json!(parent)));
    let span = line["span_id"].as_str().expect("a span");
    for sent in harness.world().sent() {
        assert_eq!(sent.headers()["traceparent"], format!("00-{trace}-{span}-01"));
    }
}

#[test]
fn a_failure_is_in_the_requests_own_line_with_its_cause() {
    let harness = Harness::new();
    harness.copy(&[], &brief());
    harness.send(Request::get("/nowhere/secret-path").body(bytes::Bytes::new()).expect("a request"));
    let [away, nowhere] = &requests()[..] else { panic!("one line each") };
    assert_eq!((&away["level"], &away["code"]), (&json!("error"), &json!("origin_unavailable")));
    assert!(away["cause"].as_str().is_some_and(|cause| cause.contains("nothing is scripted")), "{away}");
    assert_eq!((&nowhere["level"], &nowhere["route"]), (&json!("info"), &json!("unmatched")));
}

#[test]
fn a_stream_is_logged_at_its_end_with_what_became_of_it() {
    let harness = Harness::new();
    let done = Event::Done(written(MODEL)).encode();
    harness.expect_model(MODEL);
    for (pieces, code) in [
        (vec![Ok(done.into())], Value::Null),
        (vec![Ok(": keep-alive\n\n".into())], json!("origin_failed")),
        (vec![Err(SendError::TimedOut("between".into()))], json!("deadline_exceeded")),
    ] {
        stream_of(&harness, pieces);
        harness.copy(&[("accept", "text/event-stream"), ("cache-control", "no-cache")], &brief());
        let [line] = &requests()[..] else { panic!("one line") };
        assert_eq!((&line["status"], &line["code"], &line["complete"]), (&json!(200), &code, &json!(true)));
    }
}

#[test]
fn a_client_that_leaves_a_stream_is_told_apart() {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    stream_of(&harness, vec![Ok(": keep-alive\n\n".into()); 3]);
    let response = harness.begin(Method::POST, "/v1/copy", &[("accept", "text/event-stream")], &brief());
    assert!(requests().is_empty(), "it is not over");
    drop(response);
    futures::executor::block_on(harness.world().catch_up());
    assert_eq!(requests()[0]["complete"], false);
}

#[test]
fn nothing_of_a_brief_a_copy_or_a_key_is_logged() {
    let secret = "zwetschgenroester";
    let mut told = brief();
    told["product"]["name"] = secret.into();
    told["must_include"] = json!([secret]);
    let mut copy = written(MODEL);
    copy.id = secret.to_owned();
    let mut broken = serde_json::to_value(&copy).expect("a copy");
    broken["seed"] = secret.into();
    let broken_event = format!("event: done\ndata: {broken}\n\n");
    let problem = json!({ "code": "malformed_json", "detail": secret, "status": 400 }).to_string();
    let harness = Harness::new();
    harness.expect_model(MODEL);
    for (content_type, answer, accept) in [
        ("application/json", serde_json::to_string(&copy).expect("a copy"), "*/*"),
        ("application/json", broken.to_string(), "*/*"),
        ("text/event-stream", broken_event, "text/event-stream"),
        ("application/problem+json", problem, "*/*"),
    ] {
        let status = if content_type.contains("problem") { 400 } else { 200 };
        harness.world().expect_body(status, content_type, answer);
        harness.copy(&[("accept", accept), ("cache-control", "no-cache")], &told);
        harness.copy(&[], &told);
    }
    let mut wrong = told;
    wrong[secret] = secret.into();
    harness.copy(&[], &wrong);
    harness.ask(Method::GET, &format!("/{secret}"), &[], &Value::Null);
    let log = log::take().join("\n");
    assert!(log.lines().count() >= 10, "{log}");
    for word in [secret, key().expose(), "Green tea", "a secret for tests only"] {
        assert!(!log.contains(word), "{word} in {log}");
    }
}
