//! What the edge knows of the origin's models, and for how long.

use http::Method;
use serde_json::Value;

use super::*;
use crate::harness::{Answered, Harness};

fn models(harness: &Harness) -> Answered {
    harness.ask(Method::GET, "/v1/models", &[], &Value::Null)
}

fn fingerprint(answered: &Answered) -> String {
    answered.json()["data"][0]["fingerprint"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn the_list_is_asked_for_once_in_its_time() {
    let mut harness = Harness::new();
    harness.expect_model("one");
    harness.expect_model("two");
    assert_eq!(fingerprint(&models(&harness)), "one");
    harness.now_ms += FRESH_MS - 1;
    assert_eq!(fingerprint(&models(&harness)), "one");
    harness.now_ms += 1;
    assert_eq!(fingerprint(&models(&harness)), "two");
}

#[test]
fn instances_share_what_one_has_learnt() {
    let harness = Harness::new();
    harness.expect_model("one");
    models(&harness);
    let harness = harness.restart();
    harness.world().sent();
    assert_eq!(fingerprint(&models(&harness)), "one");
    assert!(harness.world().sent().is_empty());
}

#[test]
fn the_last_known_list_stands_in_for_an_origin_that_is_away_up_to_a_day() {
    let mut harness = Harness::new();
    harness.expect_model("one");
    models(&harness);
    harness.now_ms += STALE_MS_MAX - 1;
    assert_eq!(fingerprint(&models(&harness)), "one");
    harness.now_ms += 1;
    assert_eq!(models(&harness).status.as_u16(), 503);
}

#[test]
fn an_origin_that_is_away_is_not_asked_by_every_request() {
    let mut harness = Harness::new();
    harness.expect_model("one");
    models(&harness);
    harness.now_ms += FRESH_MS;
    harness.world().sent();
    for _ in 0..3 {
        models(&harness);
    }
    assert_eq!(harness.world().sent().len(), 1);
    harness.now_ms += RETRY_AFTER_MS;
    harness.expect_model("two");
    assert_eq!(fingerprint(&models(&harness)), "two");
}

#[test]
fn a_list_that_cannot_be_read_or_is_empty_is_the_origins_failure() {
    for body in ["", "{}", r#"{"object":"list","data":[]}"#] {
        let harness = Harness::new();
        harness.world().expect_body(200, "application/json", body);
        let answered = models(&harness);
        assert_eq!(
            (answered.status.as_u16(), answered.json()["code"].as_str()),
            (502, Some("origin_failed"))
        );
    }
}

#[test]
fn a_list_over_its_limit_is_refused() {
    for (length, status) in [(MODELS_BYTES_MAX, 200), (MODELS_BYTES_MAX + 1, 502)] {
        let harness = Harness::new();
        let model = r#"{"id":"tiny","object":"model","fingerprint":"one","languages":["en"],"context_tokens_max":1,"channel_revision":1}"#;
        let mut body = format!(r#"{{"object":"list","data":[{model}]}}"#).into_bytes();
        body.resize(length, b' ');
        harness.world().expect_body(200, "application/json", body);
        assert_eq!(models(&harness).status.as_u16(), status);
    }
}

#[test]
fn what_the_store_holds_in_another_form_is_overwritten() {
    let harness = Harness::new();
    futures::executor::block_on(harness.world().set("models/http://127.0.0.1:8080", b"junk")).expect("a set");
    harness.expect_model("one");
    assert_eq!(fingerprint(&models(&harness)), "one");
    assert_eq!(fingerprint(&models(&harness.restart())), "one");
}
