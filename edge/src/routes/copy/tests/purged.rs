//! What was purged is gone, or stale, and does not come back.

use std::time::Duration;

use futures::executor::block_on;
use futures::future::join;

use super::*;
use crate::harness::{key, request};
use crate::store::key_value::LAG_MS_MAX;

fn purge(harness: &Harness, what: &Value) -> Answered {
    harness.ask_as("operator", "admin", Method::POST, "/admin/cache/purge", what)
}

fn status(harness: &Harness) -> String {
    harness.expect_copy(&written(MODEL));
    let answered = harness.copy(&[("cache-control", "max-age=100000")], &brief());
    answered.header("cache-status").to_owned()
}

#[test]
fn a_purge_of_any_tag_of_the_copy_voids_it_and_others_do_not() {
    for (what, purged) in [
        (json!({ "all": true }), true),
        (json!({ "tenant": "acme" }), true),
        (json!({ "model": MODEL }), true),
        (json!({ "channel": "x" }), true),
        (json!({ "channel": "twitter" }), true),
        (json!({ "template": 1, "mode": "hard" }), true),
        (json!({ "tenant": "other" }), false),
        (json!({ "model": "sha256:two" }), false),
        (json!({ "channel": "sms" }), false),
        (json!({ "template": 2 }), false),
    ] {
        let harness = warm();
        assert_eq!(purge(&harness, &what).status, StatusCode::OK, "{what}");
        let expected = if purged { "adlib; fwd=uri-miss; stored" } else { "adlib; hit; ttl=6886" };
        assert_eq!(status(&harness), expected, "{what}");
        assert_eq!(status(&harness), "adlib; hit; ttl=6886", "what was written since counts");
    }
}

#[test]
fn a_soft_purge_leaves_a_stale_copy_that_is_written_anew() {
    let harness = warm();
    purge(&harness, &json!({ "channel": "x", "mode": "soft" }));
    harness.expect_copy(&written(MODEL));
    let first = harness.copy(&[], &brief());
    assert_eq!(first.header("cache-status"), "adlib; hit; ttl=0; detail=stale-while-revalidate");
    assert_eq!(harness.copy(&[], &brief()).header("cache-status"), "adlib; hit; ttl=6886");
}

#[test]
fn epochs_that_the_store_has_lost_do_not_revive_what_was_purged() {
    let harness = warm();
    purge(&harness, &json!({ "all": true }));
    for name in harness.world().keys("epoch/") {
        block_on(harness.world().delete(&name)).expect("a store that works");
    }
    let harness = harness.restart();
    assert_eq!(status(&harness), "adlib; fwd=uri-miss; stored");
    assert_eq!(status(&harness), "adlib; hit; ttl=6886");
}

#[test]
fn a_copy_that_was_asked_for_before_a_purge_is_void_when_it_comes() {
    let harness = Harness::new();
    harness.expect_model(MODEL);
    harness.world().slow_down();
    harness.expect_copy(&written(MODEL));
    let asking = request(&key(), Method::POST, "/v1/copy", &[], &brief());
    let purging = async {
        while harness.world().sent().iter().all(|sent| sent.uri().path() != "/v1/copy") {
            harness.world().sleep(Duration::ZERO).await;
        }
        harness.edge.store.renew("tenant/acme", 7).await.expect("a store that works");
    };
    let (late, ()) = block_on(join(harness.answered(asking), purging));
    assert_eq!(late.header("cache-status"), "adlib; fwd=uri-miss; stored");
    assert_eq!(status(&harness), "adlib; fwd=uri-miss; stored", "the stored copy does not count");
}

#[test]
fn another_instance_sees_a_purge_after_the_stores_lag_at_most() {
    let harness = warm();
    let mut other = harness.apart();
    assert_eq!(status(&other), "adlib; hit; ttl=6886");
    purge(&harness, &json!({ "tenant": "acme" }));
    other.now_ms += LAG_MS_MAX;
    assert_eq!(status(&other), "adlib; fwd=uri-miss; stored");
}

#[test]
fn only_an_operator_purges_and_only_one_thing_at_a_time() {
    let harness = warm();
    let forbidden = harness.ask(Method::POST, "/admin/cache/purge", &[], &json!({ "all": true }));
    assert_eq!(forbidden.json()["code"], "forbidden");
    for what in [
        json!({}),
        json!({ "all": true, "tenant": "acme" }),
        json!({ "all": false }),
        json!({ "tenant": "a b" }),
    ] {
        assert_eq!(purge(&harness, &what).status, StatusCode::UNPROCESSABLE_ENTITY, "{what}");
    }
    assert_eq!(status(&harness), "adlib; hit; ttl=6886");
}
