//! What the counters say after requests of many kinds.

use http::Method;
use serde_json::{Value, json};

use super::*;
use crate::harness::{Answered, Harness, brief, written};
use crate::world::SendError;

const MODEL: &str = "sha256:one";

fn stats(harness: &Harness) -> Value {
    harness.ask(Method::GET, "/v1/stats", &[], &Value::Null).json()
}

/// A miss, a hit, a failure of the origin and a bad brief.
fn four_requests(harness: &Harness) {
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    harness.copy(&[], &brief());
    harness.copy(&[], &brief());
    harness.world().expect(Err(SendError::TimedOut("first byte".into())));
    harness.copy(&[("cache-control", "no-cache")], &brief());
    harness.copy(&[], &json!({}));
}

fn metrics(harness: &Harness) -> Answered {
    harness.ask_as("operator", "admin", Method::GET, "/metrics", &Value::Null)
}

#[test]
fn requests_are_counted_by_route_status_and_the_caches_part() {
    let harness = Harness::new();
    four_requests(&harness);
    let stats = stats(&harness);
    assert_eq!(stats["requests"], 4);
    assert_eq!(stats["by_status"], json!({ "200": 2, "422": 1, "504": 1 }));
    assert_eq!(stats["cache"], json!({ "hit": 1, "miss": 2 }));
    assert_eq!(stats["origin_errors"], json!({ "deadline_exceeded": 1 }));
    assert_eq!(stats["origin_attempts"], 3, "the model is asked for, too");
    assert_eq!(stats["duration_ms"]["hit"]["count"], 1);
    assert!(stats["duration_ms"]["hit"]["p99"].is_number(), "{stats}");
}

#[test]
fn counts_survive_the_instance() {
    let harness = Harness::new();
    four_requests(&harness);
    let harness = harness.restart();
    assert_eq!(stats(&harness)["requests"], 4);
    assert_eq!(stats(&harness)["requests"], 5, "the last question is counted, too");
}

#[test]
fn a_tenant_sees_its_own_counts_and_an_admin_those_of_everyone() {
    let harness = Harness::new();
    four_requests(&harness);
    let refused = harness.ask(Method::GET, "/metrics", &[], &Value::Null);
    assert_eq!((refused.status.as_u16(), refused.json()["code"].as_str()), (403, Some("forbidden")));
    let answered = metrics(&harness);
    let text = String::from_utf8(answered.body.as_ref().expect("a body").to_vec()).expect("text");
    assert_eq!(answered.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    assert!(text.contains("adlib_edge_requests_total{route=\"/metrics\",status=\"403\"} 1\n"), "{text}");
    assert!(text.contains("adlib_edge_cache_total{outcome=\"hit\"} 1\n"), "{text}");
    assert!(text.contains("adlib_edge_copy_duration_seconds_count{outcome=\"miss\"} 1\n"), "{text}");
    assert!(!text.contains("acme"), "no tenant is named");
    let other = harness.ask_as("operator", "admin", Method::GET, "/v1/stats", &Value::Null).json();
    assert_eq!((&other["requests"], &other["cache"]), (&json!(1), &json!({})));
}

#[test]
fn refusals_by_a_limit_are_counted() {
    let harness = Harness::with(&[("rate_per_minute", "1")]);
    for _ in 0..3 {
        harness.ask(Method::GET, "/v1/tones", &[], &Value::Null);
    }
    let text = metrics(&harness).body.expect("a body");
    assert!(String::from_utf8_lossy(&text).contains("adlib_edge_limited_total 2\n"));
}

#[test]
fn a_store_that_fails_is_told_later() {
    let harness = Harness::new();
    harness.world().fail(true);
    harness.ask(Method::GET, "/v1/tones", &[], &Value::Null);
    harness.world().fail(false);
    harness.ask(Method::GET, "/v1/tones", &[], &Value::Null);
    let harness = harness.restart();
    assert_eq!(stats(&harness)["requests"], 2);
}

#[test]
fn what_is_switched_off_is_not_written() {
    let harness = Harness::with(&[("stats", "off")]);
    four_requests(&harness);
    assert_eq!(stats(&harness)["requests"], 4, "the instance counts all the same");
    assert!(harness.world().keys("counts").is_empty());
}

#[test]
fn no_more_tenants_are_counted_apart_than_may_be() {
    let stats = Stats::default();
    for tenant in 0..=TENANTS_MAX {
        let line = Line { tenant: Some(tenant.to_string()), ..Line::default() };
        stats.count(&line, Duration::ZERO);
    }
    let untold = stats.untold.borrow();
    assert_eq!(untold.len(), TENANTS_MAX + 1, "what counts for everyone is one more");
    assert_eq!(untold[NO_TENANT].to_counts().total(series::REQUESTS), 1);
}
