//! Briefs that are asked for again and again.

use super::*;
use crate::cache::HOT_MS_MAX;

fn status(harness: &Harness) -> String {
    harness.copy(&[], &brief()).header("cache-status").to_owned()
}

#[test]
fn a_hit_visits_the_store_once_and_one_right_after_it_not_at_all() {
    let mut harness = Harness::with(&[("rate_per_minute", "0"), ("stats", "off")]);
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    status(&harness);
    let first = harness.now_ms;
    for (after_ms, reads, writes) in [(0, 1, 0), (0, 0, 0), (HOT_MS_MAX - 1, 0, 0)] {
        harness.now_ms = first + after_ms;
        let before = (harness.world().reads(""), harness.world().writes());
        assert_eq!(status(&harness), "adlib; hit; ttl=6886");
        assert_eq!(
            (harness.world().reads("") - before.0, harness.world().writes() - before.1),
            (reads, writes)
        );
    }
    harness.now_ms = first + HOT_MS_MAX;
    let before = harness.world().reads("copy/");
    assert_eq!(status(&harness), "adlib; hit; ttl=6885");
    assert_eq!(harness.world().reads("copy/") - before, 1, "not longer, however often it was given");
}

#[test]
fn what_another_instance_stores_is_seen_after_a_second_and_what_this_one_stores_at_once() {
    let harness = warm();
    let mut other = harness.beside();
    assert_eq!(status(&other), "adlib; hit; ttl=6886");
    let body = |harness: &Harness| harness.copy(&[], &brief()).body;
    let old = body(&other);
    let mut newer = written(MODEL);
    newer.id = "another".to_owned();
    harness.expect_copy(&newer);
    harness.copy(&[("cache-control", "no-cache")], &brief());
    assert_eq!(body(&harness), Ok(serde_json::to_vec(&newer).expect("a copy").into()));
    assert_eq!(body(&other), old);
    other.now_ms += HOT_MS_MAX;
    assert_eq!(body(&other), body(&harness));
}

#[test]
fn a_purge_elsewhere_voids_it_as_soon_as_the_epochs_are_known() {
    let harness = warm();
    let other = harness.beside();
    assert_eq!(status(&other), "adlib; hit; ttl=6886");
    harness.ask_as(
        "operator",
        "admin",
        http::Method::POST,
        "/admin/cache/purge",
        &json!({ "tenant": "acme" }),
    );
    other.expect_copy(&written(MODEL));
    assert_eq!(status(&other), "adlib; fwd=uri-miss; stored");
    // It is in the other instance's memory still, under epochs that are gone.
    assert_eq!(status(&harness), "adlib; hit; ttl=6886");
}

#[test]
fn it_is_judged_by_its_age_each_time() {
    let mut harness = warm();
    harness.now_ms += FRESH_S * 1000 - 500;
    assert_eq!(status(&harness), "adlib; hit; ttl=1");
    harness.now_ms += 500;
    harness.expect_copy(&written(MODEL));
    assert_eq!(status(&harness), "adlib; hit; ttl=0; detail=stale-while-revalidate");
    assert_eq!(status(&harness), "adlib; hit; ttl=6886");
}
