//! What is known about keys, and what an operator may want of them.

use adlib_shared::api_key::Kind;
use adlib_shared::key::{KeyId, KeyLimits, NewKey, Rotation, Scope, is_name};
use adlib_shared::limits::{
    KEY_BODY_BYTES_MAX, KEY_NAME_BYTES_MAX, KEY_OVERLAP_S_MAX, KEY_RATE_PER_MINUTE_MAX, KEY_STREAMS_MAX,
};
use adlib_shared::problem::{Code, Problem};
use serde_json::{Value, json};

const NOW_S: u64 = 1_700_000_000;

fn parse(body: &Value) -> Result<NewKey, Problem> {
    NewKey::parse(body.to_string().as_bytes(), NOW_S)
}

/// The fields that are wrong in a valid body of which one member is changed.
fn wrong(member: &str, value: &Value) -> Vec<String> {
    let mut body =
        json!({ "tenant": "acme", "name": "ci", "scopes": ["copy"], "kind": "live", "limits": {} });
    match member.split_once('.') {
        Some((object, member)) => body[object][member] = value.clone(),
        None => body[member] = value.clone(),
    }
    let Err(problem) = parse(&body) else { return Vec::new() };
    assert_eq!(problem.code, Code::InvalidField, "{body}");
    problem.errors.into_iter().map(|error| error.field).collect()
}

#[test]
fn an_id_is_read_as_it_is_written() {
    let id = KeyId([0, 1, 2, 3, 0xAB, 0xCD, 0xEF, 0xFF]);
    assert_eq!((id.to_string().as_str(), id.to_string().len()), ("00010203abcdefff", KeyId::CHARS));
    assert_eq!(KeyId::parse("00010203abcdefff"), Some(id));
    for text in ["", "00010203abcdeff", "00010203abcdefff0", "00010203ABCDEFFF", "00010203abcdefxy"] {
        assert_eq!(KeyId::parse(text), None, "{text}");
    }
}

#[test]
fn limits_that_are_not_given_are_left_out() {
    let limits = KeyLimits { tokens_per_minute: Some(0), streams_max: Some(4), ..KeyLimits::default() };
    let document = json!({ "tokens_per_minute": 0, "streams_max": 4 });
    assert_eq!(serde_json::to_value(limits).unwrap(), document);
    assert_eq!(serde_json::from_value::<KeyLimits>(document).unwrap(), limits);
    for wrong in
        [json!({ "rate": 1 }), json!({ "streams_max": -1 }), json!({ "rate_per_minute": 4_294_967_296_u64 })]
    {
        assert!(serde_json::from_value::<KeyLimits>(wrong).is_err());
    }
}

#[test]
fn scopes_are_words() {
    let words: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
    assert_eq!(words, ["copy", "check", "jobs", "admin"]);
}

#[test]
fn a_new_key_is_read_whole() {
    let body = json!({
        "tenant": "acme", "name": "ci", "scopes": ["admin", "copy"], "kind": "live", "expires": NOW_S + 1,
        "limits": { "rate_per_minute": 0, "streams_max": 4 },
    });
    let key = parse(&body).unwrap();
    assert_eq!((key.tenant.as_str(), key.name.as_str(), key.kind), ("acme", "ci", Kind::Live));
    assert_eq!((key.scopes, key.expires), (vec![Scope::Copy, Scope::Admin], Some(NOW_S + 1)));
    let limits = KeyLimits { rate_per_minute: Some(0), tokens_per_minute: None, streams_max: Some(4) };
    assert_eq!(key.limits, limits);
}

#[test]
fn what_a_key_must_have_is_named_all_at_once() {
    let fields: Vec<String> =
        parse(&json!({})).unwrap_err().errors.into_iter().map(|error| error.field).collect();
    assert_eq!(fields, ["tenant", "name", "scopes", "kind"]);
}

#[test]
fn each_field_is_taken_up_to_its_limit_and_not_beyond() {
    let name = |length| Value::from("a".repeat(length));
    for (member, good, bad) in [
        ("tenant", name(KEY_NAME_BYTES_MAX), name(KEY_NAME_BYTES_MAX + 1)),
        ("name", name(KEY_NAME_BYTES_MAX), name(KEY_NAME_BYTES_MAX + 1)),
        ("tenant", "a".into(), "".into()),
        ("tenant", "a-b".into(), "-b".into()),
        ("scopes", json!(["copy", "check", "jobs", "admin"]), json!([])),
        ("scopes", json!(["jobs"]), json!(["jobs", "jobs"])),
        ("scopes", json!(["jobs"]), json!("jobs")),
        ("kind", "test".into(), "prod".into()),
        ("expires", (NOW_S + 1).into(), NOW_S.into()),
        ("expires", Value::Null, "tomorrow".into()),
        ("limits", Value::Null, 5.into()),
        ("limits.rate_per_minute", KEY_RATE_PER_MINUTE_MAX.into(), (KEY_RATE_PER_MINUTE_MAX + 1).into()),
        ("limits.tokens_per_minute", KEY_RATE_PER_MINUTE_MAX.into(), (KEY_RATE_PER_MINUTE_MAX + 1).into()),
        ("limits.streams_max", KEY_STREAMS_MAX.into(), (KEY_STREAMS_MAX + 1).into()),
        ("limits.streams_max", 0.into(), (-1).into()),
        ("limits.streams", Value::Null, 1.into()),
        ("colour", Value::Null, 1.into()),
    ] {
        if good != Value::Null || member == "limits" {
            assert_eq!(wrong(member, &good), Vec::<String>::new(), "{member} {good}");
        }
        assert_eq!(wrong(member, &bad), [member], "{bad}");
    }
    assert_eq!(wrong("scopes", &json!(["copy", "root"])), ["scopes[1]"]);
    assert_eq!(NewKey::parse(&[b' '; KEY_BODY_BYTES_MAX + 1], NOW_S).unwrap_err().code, Code::TooLarge);
    assert_eq!(NewKey::parse(&[b' '; KEY_BODY_BYTES_MAX], NOW_S).unwrap_err().code, Code::MalformedJson);
}

#[test]
fn a_rotation_says_for_how_long_both_secrets_live() {
    let parse = |body: Value| Rotation::parse(body.to_string().as_bytes()).map(|rotation| rotation.overlap_s);
    assert_eq!(parse(json!({ "overlap_s": 0 })), Ok(0));
    assert_eq!(parse(json!({ "overlap_s": KEY_OVERLAP_S_MAX })), Ok(KEY_OVERLAP_S_MAX));
    for body in [
        json!({}),
        json!({ "overlap_s": KEY_OVERLAP_S_MAX + 1 }),
        json!({ "overlap_s": -1 }),
        json!({ "overlap_s": "1" }),
        json!({ "overlap_s": 1, "other": 1 }),
    ] {
        assert_eq!(parse(body.clone()).unwrap_err().code, Code::InvalidField, "{body}");
    }
}

#[test]
fn names_are_plain_and_bounded() {
    for name in ["a", "0", "a.b_c-d", &"a".repeat(KEY_NAME_BYTES_MAX)] {
        assert!(is_name(name), "{name}");
    }
    for name in ["", "-a", "_a", "a b", "a/b", "\u{e4}", &"a".repeat(KEY_NAME_BYTES_MAX + 1)] {
        assert!(!is_name(name), "{name}");
    }
}
