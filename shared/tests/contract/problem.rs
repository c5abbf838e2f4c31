//! Problem documents.

use adlib_shared::limits;
use adlib_shared::problem::{Code, Problem};
use serde_json::{Value, json};

#[test]
fn a_problem_is_a_document_that_openai_clients_read_too() {
    let problem = Problem::new(Code::InvalidField, "two fields are wrong")
        .with_field("product.features[3]", "is empty")
        .with_field("tone", "is required")
        .with_instance("req_1")
        .with_retry_after_s(7);
    let document: Value = serde_json::from_slice(&problem.to_json()).unwrap();
    let expected = json!({
        "type": "/problems/invalid_field", "title": "A field is not valid", "status": 422,
        "detail": "two fields are wrong", "code": "invalid_field", "instance": "req_1",
        "errors": [{"field": "product.features[3]", "detail": "is empty"}, {"field": "tone", "detail": "is required"}],
        "error": {
            "message": "two fields are wrong", "type": "invalid_request_error",
            "param": "product.features[3]", "code": "invalid_field",
        },
    });
    assert_eq!(document, expected);
    let read: Problem = serde_json::from_value(document).unwrap();
    assert_eq!(read, Problem { retry_after_s: None, ..problem });
}

#[test]
fn every_code_has_the_contracts_status() {
    let statuses: Vec<(&str, u16)> = Code::ALL.iter().map(|code| (code.as_str(), code.status())).collect();
    let expected = [
        ("malformed_json", 400),
        ("unauthorized", 401),
        ("forbidden", 403),
        ("not_found", 404),
        ("method_not_allowed", 405),
        ("idempotency_conflict", 409),
        ("too_large", 413),
        ("unsupported_media_type", 415),
        ("invalid_field", 422),
        ("unknown_channel", 422),
        ("unsupported_language", 422),
        ("contradictory_terms", 422),
        ("infeasible_constraints", 422),
        ("rate_limited", 429),
        ("blocked", 429),
        ("constraint_unsatisfied", 500),
        ("internal", 500),
        ("origin_failed", 502),
        ("overloaded", 503),
        ("origin_unavailable", 503),
        ("deadline_exceeded", 504),
        ("only_if_cached", 504),
    ];
    assert_eq!(statuses, expected);
}

#[test]
fn field_errors_are_bounded() {
    let full = (0..=limits::FIELD_ERRORS_MAX).fold(Problem::new(Code::InvalidField, "many"), |problem, n| {
        problem.with_field(n.to_string(), "is wrong")
    });
    assert_eq!(full.errors.len(), limits::FIELD_ERRORS_MAX);
    assert_eq!(full.errors.last().unwrap().field, (limits::FIELD_ERRORS_MAX - 1).to_string());
}
