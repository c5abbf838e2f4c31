//! What an operator may purge.

use adlib_shared::limits::PURGE_NAME_BYTES_MAX;
use adlib_shared::problem::Code;
use adlib_shared::purge::{Mode, Purge, Tag};
use serde_json::{Value, json};

fn parse(body: &Value) -> Result<(String, Mode), Code> {
    let purge = Purge::parse(body.to_string().as_bytes()).map_err(|problem| problem.code)?;
    Ok((purge.tag.name(), purge.mode))
}

#[test]
fn one_tag_is_purged_hard_or_soft() {
    for (body, tag, mode) in [
        (json!({"all": true}), "all", Mode::Hard),
        (json!({"tenant": "acme"}), "tenant/acme", Mode::Hard),
        (json!({"model": "sha256:0f"}), "model/sha256:0f", Mode::Hard),
        (json!({"channel": "twitter", "mode": "soft"}), "channel/x", Mode::Soft),
        (json!({"template": 1, "mode": "hard", "tenant": null}), "template/1", Mode::Hard),
    ] {
        assert_eq!(parse(&body), Ok((tag.to_owned(), mode)), "{body}");
    }
}

#[test]
fn anything_but_one_tag_of_its_form_is_refused() {
    for body in [
        json!({}),
        json!([]),
        json!({"mode": "soft"}),
        json!({"all": false}),
        json!({"all": true, "channel": "x"}),
        json!({"tenant": ""}),
        json!({"tenant": "a/b"}),
        json!({"tenant": 1}),
        json!({"template": -1}),
        json!({"all": true, "mode": "gentle"}),
        json!({"all": true, "colour": 1}),
    ] {
        assert_eq!(parse(&body), Err(Code::InvalidField), "{body}");
    }
    assert_eq!(parse(&json!({"channel": "fax"})), Err(Code::UnknownChannel));
    assert_eq!(
        Purge::parse(br#"{"all": true, "all": true}"#).map_err(|problem| problem.code),
        Err(Code::MalformedJson)
    );
}

#[test]
fn names_are_bounded() {
    let name = |length: usize| "a".repeat(length);
    let longest = Purge::parse(json!({"tenant": name(PURGE_NAME_BYTES_MAX)}).to_string().as_bytes()).unwrap();
    assert_eq!(longest.tag, Tag::Tenant(name(PURGE_NAME_BYTES_MAX)));
    assert_eq!(parse(&json!({"tenant": name(PURGE_NAME_BYTES_MAX + 1)})), Err(Code::InvalidField));
}
