//! Several origins: who is asked, and who instead.

use adlib_shared::deadline::DEADLINE;
use adlib_shared::problem::{Code, Problem};
use serde_json::{Value, json};

use super::*;
use crate::harness::{Answered, Harness, brief, written};
use crate::hop::budget::RETRIES_FIRST;
use crate::hop::latency::SAMPLES_MIN;
use crate::hop::origins::PATIENCE;
use crate::settings::NO_ORIGIN;
use crate::world::memory::Scripted;

const MODEL: &str = "sha256:1";
/// The cache is switched off, so that every brief reaches an origin and no model is asked for.
const TWO: [(&str, &str); 3] =
    [("origin_url", "http://a"), ("second_origin_url", "http://b"), ("cache_ttl_s", "0")];

fn two() -> Harness {
    Harness::with(&TWO)
}

fn one() -> Harness {
    Harness::with(&[TWO[0], TWO[2], ("second_origin_url", NO_ORIGIN)])
}

fn answer(status: u16, content_type: &str, body: impl Into<bytes::Bytes>) -> Scripted {
    let head = Response::builder().status(status).header("content-type", content_type);
    head.body(vec![Ok(body.into())]).map_err(|error| SendError::Broken(error.to_string()))
}

fn problem(code: Code) -> Scripted {
    answer(code.status(), "application/problem+json", Problem::new(code, "no").to_json())
}

/// The authorities that were asked since the last call.
fn asked(harness: &Harness) -> Vec<String> {
    let authority = |request: http::Request<_>| request.uri().authority().map(ToString::to_string);
    harness.world().sent().into_iter().filter_map(authority).collect()
}

fn named(name: &str) -> Value {
    json!({ "product": { "name": name, "description": "Green tea." }, "channel": "x" })
}

fn code(answered: &Answered) -> String {
    answered.json()["code"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn briefs_of_one_product_and_channel_meet_one_origin_and_other_products_spread() {
    let harness = two();
    let mut firsts = Vec::new();
    for product in 0..40 {
        let mut brief = named(&format!("Tea {product}"));
        for audience in ["runners", "cooks"] {
            brief["audience"] = audience.into();
            harness.expect_copy(&written(MODEL));
            assert_eq!(harness.copy(&[], &brief).status, 200);
        }
        let asked = asked(&harness);
        assert_eq!(asked[0], asked[1], "product {product}");
        firsts.extend(asked.into_iter().next());
    }
    let at_a = firsts.iter().filter(|first| *first == "a").count();
    assert!((10..=30).contains(&at_a), "{at_a} of 40");
}

#[test]
fn another_origin_answers_where_the_first_cannot() {
    for failure in [
        Err(SendError::Unreachable("refused".into())),
        Err(SendError::Broken("reset".into())),
        problem(Code::Overloaded),
        problem(Code::OriginUnavailable),
        answer(502, "text/html", "<h1>bad gateway</h1>"),
        answer(503, "text/html", ""),
    ] {
        let harness = two();
        harness.world().expect(failure);
        harness.expect_copy(&written(MODEL));
        assert_eq!(harness.copy(&[], &brief()).status, 200);
        let asked = asked(&harness);
        assert!(asked.len() == 2 && asked[0] != asked[1], "{asked:?}");
    }
}

#[test]
fn what_another_origin_would_not_do_better_is_the_answer() {
    for (failure, expected) in [
        (Err(SendError::TimedOut("first byte".into())), "deadline_exceeded"),
        (Err(SendError::Denied("the client has left".into())), "origin_unavailable"),
        (problem(Code::ConstraintUnsatisfied), "constraint_unsatisfied"),
        (problem(Code::InfeasibleConstraints), "infeasible_constraints"),
    ] {
        let harness = two();
        harness.world().expect(failure);
        assert_eq!(code(&harness.copy(&[], &brief())), expected);
        assert_eq!(asked(&harness).len(), 1, "{expected}");
    }
}

#[test]
fn an_origin_that_says_why_is_heard_before_one_that_is_silent() {
    let harness = two();
    harness.world().expect(problem(Code::Overloaded));
    assert_eq!(code(&harness.copy(&[], &brief())), "overloaded");
    assert_eq!(asked(&harness).len(), 2, "the second could not be reached");
}

#[test]
fn nothing_is_asked_again_once_an_answer_has_begun() {
    let harness = two();
    let pieces = vec![Ok("{\"id\":".into()), Err(SendError::Broken("reset".into()))];
    let head = Response::builder().status(200).header("content-type", "application/json");
    harness.world().expect(Ok(head.body(pieces).expect("a valid head")));
    assert_eq!(code(&harness.copy(&[], &brief())), "origin_failed");
    assert_eq!(asked(&harness).len(), 1);
}

#[test]
fn retries_have_a_budget() {
    let harness = two();
    let mut retries = 0;
    for request in 0..RETRIES_FIRST + 2 {
        let answers = if request < RETRIES_FIRST { 2 } else { 1 };
        (0..answers).for_each(|_| harness.world().expect(problem(Code::Overloaded)));
        assert_eq!(code(&harness.copy(&[], &brief())), "overloaded");
        retries += asked(&harness).len() as u32 - 1;
    }
    assert_eq!(retries, RETRIES_FIRST);
}

#[test]
fn an_origin_that_fails_again_and_again_is_left_alone() {
    let harness = one();
    for _ in 0..PATIENCE.failures {
        assert_eq!(code(&harness.copy(&[], &brief())), "origin_unavailable");
    }
    assert_eq!(asked(&harness).len() as u32, PATIENCE.failures);
    let refused = harness.copy(&[], &brief());
    assert_eq!((code(&refused).as_str(), refused.header("retry-after")), ("origin_unavailable", "1"));
    assert!(asked(&harness).is_empty(), "it was asked nevertheless");
}

#[test]
fn answers_that_break_off_open_the_circuit_and_another_origin_takes_over() {
    let harness = two();
    let broken = || {
        let head = Response::builder().status(200).header("content-type", "application/json");
        Ok(head.body(vec![Err(SendError::Broken("reset".into()))]).expect("a valid head"))
    };
    for _ in 0..PATIENCE.failures {
        harness.world().expect(broken());
        assert_eq!(code(&harness.copy(&[], &brief())), "origin_failed");
    }
    let before = asked(&harness);
    harness.expect_copy(&written(MODEL));
    assert_eq!(harness.copy(&[], &brief()).status, 200);
    assert_ne!(asked(&harness)[0], before[0]);
}

#[test]
fn problems_of_the_contract_are_signs_of_life() {
    let harness = one();
    for _ in 0..2 * PATIENCE.failures {
        harness.world().expect(problem(Code::Overloaded));
        assert_eq!(code(&harness.copy(&[], &brief())), "overloaded");
    }
    assert_eq!(asked(&harness).len() as u32, 2 * PATIENCE.failures);
}

#[test]
fn the_origin_learns_what_time_is_left() {
    let harness = Harness::with(&[TWO[2], ("deadline_ms", "60000")]);
    let left = |headers: &[(&str, &str)]| {
        harness.expect_copy(&written(MODEL));
        assert_eq!(harness.copy(headers, &brief()).status, 200);
        let sent = harness.world().sent();
        sent[0].headers()[DEADLINE].to_str().ok().and_then(|ms| ms.parse::<u64>().ok()).expect("a number")
    };
    assert!((50_000..=60_000).contains(&left(&[])));
    assert!((1_000..=2_000).contains(&left(&[(DEADLINE, "2000")])), "the client grants less");
    assert!((50_000..=60_000).contains(&left(&[(DEADLINE, "90000")])), "a client cannot grant more");
    let wrong = harness.copy(&[(DEADLINE, "soon")], &brief());
    assert_eq!((wrong.status.as_u16(), code(&wrong).as_str()), (422, "invalid_field"));
}

#[test]
fn a_time_out_that_the_client_asked_for_does_not_speak_against_the_origin() {
    for (deadline_ms, asked_at_all) in [("600000", PATIENCE.failures), ("50", PATIENCE.failures + 1)] {
        let harness = Harness::with(&[TWO[2], ("origin_first_byte_ms", "1000")]);
        for _ in 0..=PATIENCE.failures {
            harness.world().expect(Err(SendError::TimedOut("first byte".into())));
            harness.copy(&[(DEADLINE, deadline_ms)], &brief());
        }
        assert_eq!(asked(&harness).len() as u32, asked_at_all);
    }
}

/// A harness whose origins have answered often enough to know what is usual.
fn experienced(hedge: &'static str) -> Harness {
    let harness = Harness::with(&[TWO[0], TWO[1], TWO[2], ("hedge", hedge)]);
    for _ in 0..SAMPLES_MIN {
        harness.expect_copy(&written(MODEL));
        assert_eq!(harness.copy(&[], &brief()).status, 200);
    }
    asked(&harness);
    harness
}

#[test]
fn a_second_origin_is_asked_where_the_first_takes_long() {
    let harness = experienced("on");
    harness.world().expect_silence();
    harness.expect_copy(&written(MODEL));
    assert_eq!(harness.copy(&[], &brief()).status, 200);
    let asked = asked(&harness);
    assert!(asked.len() == 2 && asked[0] != asked[1], "{asked:?}");
}

#[test]
fn the_first_may_still_win() {
    let harness = experienced("on");
    let copy = serde_json::to_vec(&written(MODEL)).expect("a copy");
    harness.world().expect_slow(answer(200, "application/json", copy));
    harness.world().expect(Err(SendError::Unreachable("refused".into())));
    assert_eq!(harness.copy(&[], &brief()).status, 200);
    assert_eq!(asked(&harness).len(), 2);
}

#[test]
fn without_the_variable_nothing_is_asked_beside() {
    let harness = experienced("off");
    harness.expect_copy(&written(MODEL));
    assert_eq!(harness.copy(&[], &brief()).status, 200);
    assert_eq!(asked(&harness).len(), 1);
}
