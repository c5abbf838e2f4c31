//! What is wrong with a brief is remembered for a little while.

use super::*;

/// An edge whose origin has refused the brief once.
fn refused() -> Harness {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    let problem = Problem::new(Code::InfeasibleConstraints, "no copy holds all these terms")
        .with_field("must_include", "is too long for the channel");
    harness.world().expect_body(422, problem::CONTENT_TYPE, problem.to_json());
    let first = harness.copy(&[], &brief());
    assert_eq!(first.json()["code"], "infeasible_constraints");
    assert_eq!(first.header("cache-status"), "adlib; fwd=uri-miss");
    harness.world().sent();
    harness
}

#[test]
fn a_refusal_is_given_again_without_the_origin_whatever_the_form() {
    for brief in [brief(), streaming()] {
        let mut harness = refused();
        harness.now_ms += 4_000;
        let second = harness.copy(&[], &brief);
        assert_eq!((second.status.as_u16(), second.header("age")), (422, "4"));
        assert_eq!(second.json()["errors"][0]["field"], "must_include");
        assert_eq!(second.json()["instance"], second.header("x-request-id"), "each request has its own name");
        assert!(second.header("cache-status").starts_with("adlib; hit; ttl="), "{second:?}");
        assert!(harness.world().sent().is_empty());
    }
}

#[test]
fn a_refusal_ends_within_a_minute_and_is_never_stale() {
    let mut harness = refused();
    harness.now_ms += 60_000;
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    assert_eq!(harness.copy(&[], &brief()).header("cache-status"), "adlib; fwd=stale; stored");
}

#[test]
fn another_tenant_is_told_by_the_origin_itself() {
    let harness = refused();
    harness.expect_copy(&written(MODEL));
    let other = harness.ask_as("other", "copy", Method::POST, "/v1/copy", &brief());
    assert_eq!((other.status.as_u16(), other.header("cache-status")), (200, "adlib; fwd=uri-miss; stored"));
}

#[test]
fn failures_are_not_remembered() {
    for code in [Code::Overloaded, Code::ConstraintUnsatisfied, Code::Internal, Code::DeadlineExceeded] {
        let harness = Harness::new();
        harness.expect_model(MODEL);
        let problem = Problem::new(code, "not now").to_json();
        harness.world().expect_body(code.status(), problem::CONTENT_TYPE, problem);
        assert_eq!(harness.copy(&[], &brief()).json()["code"], code.as_str());
        assert!(harness.world().keys("copy/").is_empty(), "{code}");
    }
}
