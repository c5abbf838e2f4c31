//! What is served after its time, and what is not.

use futures::executor::block_on;

use super::*;
use crate::harness::{key, request};

/// The warm edge, so many seconds after the copy has expired.
fn expired(seconds: u64) -> Harness {
    let mut harness = warm();
    harness.now_ms += (FRESH_S + seconds) * 1000;
    harness
}

fn refreshed() -> adlib_shared::copy::Copy {
    adlib_shared::copy::Copy { seed: 43, ..written(MODEL) }
}

#[test]
fn a_copy_that_has_just_expired_is_given_at_once_and_written_anew_behind_the_reply() {
    for seconds in [0, 59] {
        let harness = expired(seconds);
        harness.expect_model(MODEL);
        harness.expect_copy(&refreshed());
        let first = harness.copy(&[], &brief());
        let status = format!("adlib; hit; ttl={}; detail=stale-while-revalidate", -seconds.cast_signed());
        assert_eq!((first.header("cache-status"), &first.json()["seed"]), (status.as_str(), &json!(42)));
        let second = harness.copy(&[], &brief());
        assert_eq!(second.header("cache-status"), format!("adlib; hit; ttl={FRESH_S}"));
        assert_eq!(second.json()["seed"], 43);
    }
}

#[test]
fn what_another_instance_has_written_anew_meanwhile_is_not_written_again() {
    let harness = expired(0);
    let other = harness.beside();
    harness.expect_model(MODEL);
    harness.expect_model(MODEL);
    harness.expect_copy(&refreshed());
    let asking = || request(&key(), http::Method::POST, "/v1/copy", &[], &brief());
    for harness in [&harness, &other] {
        let stale = block_on(harness.answered(asking()));
        assert!(stale.header("cache-status").ends_with("stale-while-revalidate"));
    }
    block_on(harness.world().catch_up());
    let sent = harness.world().sent();
    assert_eq!(sent.iter().filter(|request| request.uri().path() == "/v1/copy").count(), 1);
    assert_eq!(other.copy(&[], &brief()).json()["seed"], 43);
}

#[test]
fn beyond_that_the_client_waits_for_the_new_copy() {
    let harness = expired(60);
    harness.expect_model(MODEL);
    harness.expect_copy(&refreshed());
    let answered = harness.copy(&[], &brief());
    assert_eq!(answered.header("cache-status"), "adlib; fwd=stale; stored");
    assert_eq!(answered.json()["seed"], 43);
}

#[test]
fn the_origins_failure_brings_the_stale_copy_back_for_a_day() {
    for (seconds, status) in [(60, 200), (86_399, 200), (86_400, 503)] {
        let harness = expired(seconds);
        harness.expect_model(MODEL);
        let problem = Problem::new(Code::Overloaded, "the queue is full").to_json();
        harness.world().expect_body(503, problem::CONTENT_TYPE, problem);
        let answered = harness.copy(&[], &brief());
        assert_eq!(answered.status.as_u16(), status, "{seconds}");
        if status == 200 {
            assert_eq!(
                answered.header("cache-status"),
                format!("adlib; fwd=stale; fwd-status=503; ttl=-{seconds}; detail=stale-if-error")
            );
            assert_eq!(answered.header("age"), (FRESH_S + seconds).to_string());
        }
    }
    let answered = expired(60).copy(&[], &brief());
    assert_eq!(
        answered.header("cache-status"),
        "adlib; fwd=stale; ttl=-60; detail=stale-if-error",
        "nothing answered, so there is no status"
    );
}

#[test]
fn who_says_what_to_accept_is_given_nothing_else() {
    for (directive, status) in
        [("max-age=9000", 503), ("min-fresh=0", 503), ("no-cache", 503), ("max-stale", 200)]
    {
        let answered = expired(30).copy(&[("cache-control", directive)], &brief());
        assert_eq!(answered.status.as_u16(), status, "{directive}");
    }
}

#[test]
fn what_only_the_cache_may_answer_starts_no_work() {
    let harness = expired(30);
    harness.expect_model(MODEL);
    let answered = harness.copy(&[("cache-control", "only-if-cached")], &brief());
    assert_eq!(answered.header("cache-status"), "adlib; hit; ttl=-30; detail=stale-while-revalidate");
    assert_eq!(harness.world().sent().len(), 1, "the model alone was asked for");
}

#[test]
fn stale_copies_are_given_only_where_the_operator_allows_them() {
    let variables = [("stale_while_revalidate_s", "0"), ("stale_if_error_s", "0")];
    let mut harness = Harness::with(&variables);
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    harness.copy(&[], &brief());
    harness.now_ms += FRESH_S * 1000;
    assert_eq!(harness.copy(&[], &brief()).status, StatusCode::SERVICE_UNAVAILABLE);
}
