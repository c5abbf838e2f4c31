//! A copy by its id.

use super::*;
use crate::harness::{Harness, brief, written};
use http::{Method, StatusCode};
use serde_json::Value;

const MODEL: &str = "sha256:one";

fn path() -> String {
    format!("/v1/copies/{}", written(MODEL).id)
}

fn warm() -> Harness {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    harness.copy(&[], &brief());
    harness
}

#[test]
fn a_copy_is_found_by_its_id_with_its_tag_fresh_or_stale() {
    for passed_s in [5, 10_000] {
        let mut harness = warm();
        harness.now_ms += passed_s * 1000;
        let found = harness.ask(Method::GET, &path(), &[], &Value::Null);
        assert_eq!(
            (found.status, found.json()["id"].as_str()),
            (StatusCode::OK, Some(written(MODEL).id.as_str()))
        );
        assert_eq!(found.header("age"), passed_s.to_string());
        assert_eq!(
            found.header("cache-status"),
            format!("adlib; hit; ttl={}", 6886 - passed_s.cast_signed())
        );
        assert_eq!(found.header("cache-control"), "private, no-cache");
        let tag = found.header("etag").to_owned();
        let again = harness.ask(Method::GET, &path(), &[("if-none-match", &tag)], &Value::Null);
        assert_eq!((again.status, again.header("etag")), (StatusCode::NOT_MODIFIED, tag.as_str()));
        assert!(again.body.expect("a body").is_empty());
        let changed = harness.ask(Method::GET, &path(), &[("if-none-match", "\"other\"")], &Value::Null);
        assert_eq!(changed.status, StatusCode::OK);
    }
}

#[test]
fn nobody_elses_copy_no_other_id_and_no_purged_copy_is_found() {
    let harness = warm();
    let other = harness.ask_as("other", "copy", Method::GET, &path(), &Value::Null);
    assert_eq!((other.status, other.json()["code"].as_str()), (StatusCode::NOT_FOUND, Some("not_found")));
    let unknown = harness.ask(Method::GET, "/v1/copies/copy_unknown", &[], &Value::Null);
    assert_eq!(unknown.status, StatusCode::NOT_FOUND);
    let what = serde_json::json!({ "channel": "x" });
    harness.ask_as("operator", "admin", Method::POST, "/admin/cache/purge", &what);
    assert_eq!(harness.ask(Method::GET, &path(), &[], &Value::Null).status, StatusCode::NOT_FOUND);
}

#[test]
fn an_id_whose_copy_was_written_anew_is_gone() {
    let harness = warm();
    let another = Copy { id: "copy_anew".to_owned(), ..written(MODEL) };
    harness.expect_copy(&another);
    harness.copy(&[("cache-control", "no-cache")], &brief());
    assert_eq!(harness.ask(Method::GET, &path(), &[], &Value::Null).status, StatusCode::NOT_FOUND);
    assert_eq!(harness.ask(Method::GET, "/v1/copies/copy_anew", &[], &Value::Null).status, StatusCode::OK);
}
