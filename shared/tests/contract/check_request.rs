//! The body of a check.

use adlib_shared::check::{Request, all_hard_ok};
use adlib_shared::limits;
use adlib_shared::problem::Code;
use serde_json::{Value, json};

fn parse(body: &Value) -> Result<Request, (Code, Vec<String>)> {
    Request::parse(&serde_json::to_vec(body).unwrap())
        .map_err(|problem| (problem.code, problem.errors.into_iter().map(|error| error.field).collect()))
}

#[test]
fn texts_are_checked_as_they_are_sent() {
    let request = parse(&json!({
        "channel": "twitter", "fields": {"post": " padded "}, "must_include": ["padded"], "must_exclude": ["pad"],
    }))
    .unwrap();
    let checks = request.check();
    assert!(!all_hard_ok(&checks));
    assert_eq!(checks.iter().filter(|check| !check.ok).count(), 1);
    assert!(
        parse(&json!({"channel": "x", "fields": {}})).is_ok(),
        "what is missing is for the checks to say"
    );
}

#[test]
fn a_body_of_another_form_is_refused() {
    let field = |name: &str| Err((Code::InvalidField, vec![name.to_owned()]));
    assert_eq!(parse(&json!({"channel": "x"})), field("fields"));
    assert_eq!(parse(&json!({"channel": "x", "fields": []})), field("fields"));
    assert_eq!(parse(&json!({"channel": "x", "fields": {"title": "a"}})), field("fields.title"));
    assert_eq!(parse(&json!({"channel": "x", "fields": {"post": 1}})), field("fields.post"));
    assert_eq!(parse(&json!({"channel": "x", "fields": {"post": ["a", 1]}})), field("fields.post[1]"));
    assert_eq!(parse(&json!({"channel": "x", "fields": {}, "y": 1})), field("y"));
    let unknown = parse(&json!({"channel": "y", "fields": {"post": "a"}}));
    assert_eq!(unknown, Err((Code::UnknownChannel, vec!["channel".to_owned()])));
}

#[test]
fn texts_are_bounded() {
    let texts = |count: usize| parse(&json!({"channel": "x", "fields": {"post": vec!["a"; count]}}));
    assert!(texts(limits::CHECK_TEXTS_MAX).is_ok());
    assert_eq!(texts(limits::CHECK_TEXTS_MAX + 1), Err((Code::InvalidField, vec!["fields.post".to_owned()])));
    let text = |bytes: usize| parse(&json!({"channel": "x", "fields": {"post": "a".repeat(bytes)}}));
    assert!(text(limits::CHECK_TEXT_BYTES_MAX).is_ok());
    assert_eq!(
        text(limits::CHECK_TEXT_BYTES_MAX + 1),
        Err((Code::InvalidField, vec!["fields.post".to_owned()]))
    );
    assert_eq!(text(limits::CHECK_BODY_BYTES_MAX), Err((Code::TooLarge, vec![])));
}
