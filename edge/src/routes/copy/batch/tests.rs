//! Several briefs in one request.

use adlib_shared::batch;
use adlib_shared::copy::Copy;
use adlib_shared::limits::BATCH_BRIEFS_MAX;
use adlib_shared::problem::Code;
use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::*;
use crate::harness::{Answered, Harness, brief, written};
use crate::world::SendError;

const MODEL: &str = "sha256:one";

fn named(name: &str) -> Value {
    let mut brief = brief();
    brief["product"]["name"] = name.into();
    brief
}

fn copied(id: &str) -> Outcome {
    Outcome::Copy(Box::new(Copy { id: id.to_owned(), ..written(MODEL) }))
}

/// An edge that has answered the brief named Tea.
fn warm() -> Harness {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    harness.copy(&[], &named("Tea"));
    harness.world().sent();
    harness
}

fn ask(harness: &Harness, briefs: &[Value]) -> Answered {
    harness.ask(Method::POST, "/v1/copy/batch", &[], &json!({ "briefs": briefs }))
}

/// The lines as index and either the copy's id or the problem's code.
fn lines(answered: &Answered) -> Vec<(u64, String)> {
    assert_eq!((answered.status, answered.header("content-type")), (StatusCode::OK, "application/x-ndjson"));
    let body = answered.body.as_ref().expect("a whole body");
    let read = |line: &[u8]| {
        let line: Value = serde_json::from_slice(line).expect("a line of JSON");
        let what = line["copy"]["id"].as_str().or(line["problem"]["code"].as_str()).expect("an outcome");
        (line["index"].as_u64().expect("an index"), what.to_owned())
    };
    body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).map(read).collect()
}

fn expect_lines(harness: &Harness, lines: &[(usize, Outcome)]) {
    let encode =
        |(index, outcome): &(usize, Outcome)| Line { index: *index, outcome: outcome.clone() }.encode();
    let body: Vec<u8> = lines.iter().flat_map(encode).collect();
    harness.world().expect_body(200, batch::CONTENT_TYPE, body);
}

#[test]
fn what_is_cached_comes_first_and_the_rest_in_one_request() {
    let harness = warm();
    expect_lines(&harness, &[(1, copied("copy_oats")), (0, copied("copy_coffee"))]);
    let briefs = [named("Coffee"), named("Tea"), named("Oats"), json!({}), named("Coffee")];
    let answered = ask(&harness, &briefs);
    let id = written(MODEL).id;
    assert_eq!(
        lines(&answered),
        [
            (3, "invalid_field".to_owned()),
            (1, id.clone()),
            (2, "copy_oats".to_owned()),
            (0, "copy_coffee".to_owned()),
            (4, "copy_coffee".to_owned()),
        ]
    );
    let sent = harness.world().sent();
    let [request] = &sent[..] else { panic!("one request: {sent:?}") };
    assert_eq!(request.uri().path(), "/v1/copy/batch");
    let asked: Value = serde_json::from_slice(request.body()).expect("JSON");
    let names = asked["briefs"].as_array().expect("briefs").iter().map(|brief| &brief["product"]["name"]);
    assert_eq!(names.collect::<Vec<_>>(), ["Coffee", "Oats"]);
    for name in ["Coffee", "Oats", "Tea"] {
        let hit = harness.copy(&[], &named(name));
        assert!(hit.header("cache-status").starts_with("adlib; hit"), "{name}: {hit:?}");
    }
}

#[test]
fn lines_cut_anywhere_are_read_with_signs_of_life_between_them() {
    for size in [1, 100, 1000] {
        let harness = warm();
        let line = |index, id| Line { index, outcome: copied(id) }.encode();
        let body = [&b"\n\n"[..], &line(1, "copy_b"), b"\n", &line(0, "copy_a")].concat();
        let answer = http::Response::builder().header("content-type", batch::CONTENT_TYPE);
        let pieces = body.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        harness.world().expect(Ok(answer.body(pieces).expect("a valid head")));
        let answered = ask(&harness, &[named("A"), named("B")]);
        assert_eq!(lines(&answered), [(1, "copy_b".to_owned()), (0, "copy_a".to_owned())], "{size}");
    }
}

#[test]
fn each_brief_gets_a_line_whatever_becomes_of_the_origin() {
    let refused = Outcome::Problem(Problem::new(Code::InfeasibleConstraints, "no copy fits"));
    let stray = Line { index: 7, outcome: refused.clone() }.encode();
    for (rest, code) in [
        (vec![], "origin_failed"),
        (vec![Err(SendError::Broken("reset".into()))], "origin_failed"),
        (vec![Err(SendError::TimedOut("silence".into()))], "deadline_exceeded"),
        (vec![Ok(Bytes::from_static(b"{\n"))], "origin_failed"),
        (vec![Ok(stray.into())], "origin_failed"),
    ] {
        let harness = warm();
        let first = Line { index: 0, outcome: refused.clone() }.encode();
        let pieces = [vec![Ok(first.into())], rest].concat();
        let answer = http::Response::builder().header("content-type", batch::CONTENT_TYPE);
        harness.world().expect(Ok(answer.body(pieces).expect("a valid head")));
        let answered = ask(&harness, &[named("A"), named("B")]);
        assert_eq!(lines(&answered), [(0, "infeasible_constraints".to_owned()), (1, code.to_owned())]);
        assert!(
            harness.copy(&[], &named("A")).header("cache-status").starts_with("adlib; hit"),
            "it is remembered"
        );
    }
    let away = ask(&warm(), &[named("A"), named("Tea")]);
    assert_eq!(lines(&away), [(1, written(MODEL).id), (0, "origin_unavailable".to_owned())]);
}

#[test]
fn a_stale_copy_stands_in_for_the_origins_failure() {
    let mut harness = warm();
    harness.now_ms += 7_200_000;
    harness.expect_model(MODEL);
    assert_eq!(
        lines(&ask(&harness, &[named("Tea"), named("Tea")])),
        [(0, written(MODEL).id), (1, written(MODEL).id)]
    );
}

#[test]
fn what_only_the_cache_may_answer_asks_for_nothing() {
    let harness = warm();
    let briefs = json!({ "briefs": [named("Tea"), named("Oats")] });
    let headers = [("cache-control", "only-if-cached")];
    let answered = harness.ask(Method::POST, "/v1/copy/batch", &headers, &briefs);
    assert_eq!(lines(&answered), [(0, written(MODEL).id), (1, "only_if_cached".to_owned())]);
    assert!(harness.world().sent().is_empty());
}

#[test]
fn each_brief_of_a_batch_counts_as_a_request() {
    let harness = Harness::with(&[("rate_per_minute", "10")]);
    let three = [json!({}), json!({}), json!({})];
    for remaining in ["7", "4", "1"] {
        assert_eq!(ask(&harness, &three).header("x-ratelimit-remaining-requests"), remaining);
    }
    let refused = ask(&harness, &three);
    assert_eq!(
        (refused.status, refused.json()["code"].as_str()),
        (StatusCode::TOO_MANY_REQUESTS, Some("rate_limited"))
    );
}

#[test]
fn a_batch_is_bounded() {
    let harness = Harness::with(&[("rate_per_minute", "0")]);
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    harness.copy(&[], &named("Tea"));
    let full = vec![named("Tea"); BATCH_BRIEFS_MAX];
    assert_eq!(lines(&ask(&harness, &full)).len(), BATCH_BRIEFS_MAX);
    for briefs in [vec![named("Tea"); BATCH_BRIEFS_MAX + 1], Vec::new()] {
        let refused = ask(&harness, &briefs);
        assert_eq!(refused.json()["code"], "invalid_field");
    }
}
