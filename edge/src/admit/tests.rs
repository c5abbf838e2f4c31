//! Who may go on, over both stores.

use adlib_shared::api_key::{ApiKey, Kind};
use adlib_shared::key::KeyId;
use adlib_shared::limits::BODY_BYTES_MAX;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::block::BLOCK_MS_MIN;
use crate::harness::{Answered, Harness, brief, key, written};
use crate::shelter::MISSES_MAX;

const MODEL: &str = "sha256:one";

/// A test for each store.
fn on_both(changes: &[(&'static str, &'static str)], test: impl Fn(Harness)) {
    test(Harness::with(changes));
    test(Harness::on_redis(changes));
}

fn tones(harness: &Harness, headers: &[(&str, &str)]) -> Answered {
    harness.ask(Method::GET, "/v1/tones", headers, &Value::Null)
}

fn code(answered: &Answered) -> String {
    answered.json()["code"].as_str().unwrap_or_default().to_owned()
}

/// A request from an address, with whatever key.
fn from(harness: &Harness, addresses: &[&str], authorization: &str) -> Answered {
    let mut request = Request::get("/v1/tones").header("authorization", authorization);
    for address in addresses {
        request = request.header("spin-client-addr", *address);
    }
    harness.send(request.body(bytes::Bytes::new()).expect("a request"))
}

fn admin(harness: &Harness, method: Method, path: &str, body: &Value) -> Answered {
    harness.ask_as("operator", "admin", method, path, body)
}

#[test]
fn a_rate_holds_across_instances_and_the_headers_say_so() {
    on_both(&[("rate_per_minute", "5"), ("tenant_rate_per_minute", "8")], |first| {
        let second = first.apart();
        let answered = tones(&first, &[]);
        assert_eq!(answered.header("ratelimit-policy"), "\"key\";q=5;w=60, \"tenant\";q=8;w=60");
        assert_eq!(answered.header("ratelimit"), "\"key\";r=4;t=12, \"tenant\";r=7;t=8");
        let passed = (0..9).filter(|turn| tones([&first, &second][turn % 2], &[]).status == 200).count();
        assert_eq!(passed, 4);
        let refused = tones(&second, &[]);
        assert_eq!((code(&refused).as_str(), refused.header("retry-after")), ("rate_limited", "12"));
        assert_eq!(refused.header("x-ratelimit-remaining-requests"), "0");
    });
}

#[test]
fn an_address_is_what_the_runtime_appended_last_and_nothing_that_a_client_sends() {
    on_both(&[("address_rate_per_minute", "3")], |harness| {
        let authorization = format!("Bearer {}", key().expose());
        let ask = |addresses: &[&str]| from(&harness, addresses, &authorization).status.as_u16();
        for spoofed in ["203.0.113.1:1", "203.0.113.2:1", "[2001:db8::1]:1"] {
            assert_eq!(ask(&[spoofed, "192.0.2.1:5000"]), 200);
        }
        assert_eq!(ask(&["203.0.113.3:1", "192.0.2.1:5001"]), 429);
        assert_eq!(ask(&["192.0.2.1:5000", "203.0.113.4:1"]), 200, "another address");
        for host in 1..4 {
            assert_eq!(ask(&[&format!("[2001:db8:1:2::{host}]:80")]), 200);
        }
        assert_eq!(ask(&["[2001:db8:1:2:ffff::]:80"]), 429, "the same network");
        assert_eq!(ask(&["[::ffff:192.0.2.1]:80"]), 429, "IPv4 in another form");
    });
}

#[test]
fn who_does_wrong_too_often_is_blocked_by_address_and_key_apart() {
    on_both(
        &[("strikes_max", "2"), ("failures_per_minute", "0"), ("rate_per_minute", "0")],
        |mut harness| {
            let good = format!("Bearer {}", key().expose());
            let (bad, other) = (["192.0.2.1:1"], ["192.0.2.2:1"]);
            for expected in [401, 401, 401, 429] {
                assert_eq!(from(&harness, &bad, "Bearer junk").status.as_u16(), expected);
            }
            let refused = from(&harness, &bad, &good);
            assert_eq!((code(&refused).as_str(), refused.header("retry-after")), ("blocked", "60"));
            assert_eq!(from(&harness, &other, &good).status, 200, "the key is not the address");
            for _ in 0..3 {
                assert_eq!(harness.copy(&[], &json!("{")).status, 422, "a brief that is wrong is no strike");
            }
            for body in ["{".to_owned(), "a".repeat(BODY_BYTES_MAX + 1), "{".to_owned()] {
                let request = Request::post("/v1/copy").header("authorization", &good);
                let request = request.header("content-type", "application/json").body(body.into());
                assert!(harness.send(request.expect("a request")).status.is_client_error());
            }
            assert_eq!(code(&from(&harness, &other, &good)), "blocked", "now the key is");
            assert_eq!(from(&harness, &other, "Bearer junk").status, 401, "and the address is not");
            harness.now_ms += BLOCK_MS_MIN;
            // Redis goes by its own clock; a key-value store by the instance's.
            let is_redis = harness.edge.settings().expect("settings").redis.is_some();
            assert_eq!(code(&from(&harness, &other, &good)) == "blocked", is_redis);
        },
    );
}

#[test]
fn a_flood_is_a_strike_and_an_allowed_network_is_left_alone() {
    let changes = [("strikes_max", "2"), ("rate_per_minute", "1"), ("failures_per_minute", "1")];
    on_both(&[&changes[..], &[("allowed_networks", "192.0.2.0/24")]].concat(), |harness| {
        for _ in 0..6 {
            assert_eq!(from(&harness, &["192.0.2.7:1"], "Bearer junk").status, 401);
        }
        let codes: Vec<String> =
            (0..5).map(|_| code(&from(&harness, &["198.51.100.1:1"], "Bearer junk"))).collect();
        assert_eq!(codes, ["unauthorized", "rate_limited", "rate_limited", "blocked", "blocked"]);
    });
}

#[test]
fn blocks_are_listed_set_and_ended_by_who_may() {
    on_both(&[], |harness| {
        assert_eq!(harness.ask(Method::GET, "/admin/blocks", &[], &Value::Null).status, 403);
        let subject = "address/192.0.2.9";
        let wanted = json!({ "subject": subject, "seconds": 99_999_999 });
        assert_eq!(code(&admin(&harness, Method::POST, "/admin/blocks", &wanted)), "invalid_field");
        let seconds = crate::routes::blocks::SECONDS_MAX;
        for wanted in
            [json!({ "subject": "nobody", "seconds": 1 }), json!({ "subject": subject, "seconds": 0 })]
        {
            assert_eq!(code(&admin(&harness, Method::POST, "/admin/blocks", &wanted)), "invalid_field");
        }
        let wanted = json!({ "subject": subject, "seconds": seconds });
        let set = admin(&harness, Method::POST, "/admin/blocks", &wanted);
        assert_eq!((set.status.as_u16(), set.json()["subject"].as_str()), (200, Some(subject)));
        let listed = admin(&harness, Method::GET, "/admin/blocks", &Value::Null).json();
        assert_eq!(listed["blocks"][0]["until"], harness.now_ms / 1000 + seconds);
        let path = format!("/admin/blocks/{subject}");
        assert_eq!(admin(&harness, Method::DELETE, &path, &Value::Null).status, 204);
        assert_eq!(admin(&harness, Method::DELETE, &path, &Value::Null).status, 404);
        assert_eq!(admin(&harness, Method::DELETE, "/admin/blocks/x", &Value::Null).status, 404);
        let listed = admin(&harness, Method::GET, "/admin/blocks", &Value::Null).json();
        assert_eq!(listed, json!({ "blocks": [] }));
    });
}

#[test]
fn copies_are_kept_in_redis_as_in_a_key_value_store() {
    on_both(&[], |harness| {
        harness.expect_model(MODEL);
        harness.expect_copy(&written(MODEL));
        assert_eq!(harness.copy(&[], &brief()).header("cache-status"), "adlib; fwd=uri-miss; stored");
        let hit = harness.apart().copy(&[], &brief());
        assert!(hit.header("cache-status").starts_with("adlib; hit"), "{hit:?}");
    });
}

#[test]
fn without_its_store_an_instance_does_a_little_and_recovers_by_itself() {
    on_both(&[("rate_per_minute", "16")], |harness| {
        harness.expect_model(MODEL);
        harness.expect_copy(&written(MODEL));
        assert_eq!(harness.copy(&[], &brief()).status, 200);
        harness.world().fail(true);
        let passed = (0..16).filter(|_| tones(&harness, &[]).status == 200).count();
        assert_eq!(passed, 2, "an eighth of the rate");
        assert_eq!(code(&harness.ask(Method::GET, "/admin/blocks", &[], &Value::Null)), "rate_limited");
        let key = ApiKey::with_id(Kind::Test, KeyId([9; 8]), [9; 16]);
        let stored_key =
            Request::get("/v1/tones").header("authorization", format!("Bearer {}", key.expose()));
        let refused = harness.send(stored_key.body(bytes::Bytes::new()).expect("a request"));
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, "2"));
        harness.world().fail(false);
        assert_eq!(tones(&harness, &[]).header("x-ratelimit-remaining-requests"), "14");
    });
}

#[test]
fn without_its_store_few_misses_go_to_the_origin_at_once() {
    let harness = Harness::with(&[("rate_per_minute", "0")]);
    harness.expect_model(MODEL);
    harness.expect_copy(&written(MODEL));
    harness.copy(&[], &brief());
    harness.world().fail(true);
    let passing: Vec<_> = (0..MISSES_MAX).map(|_| harness.edge.shelter.pass().expect("a place")).collect();
    let refused = harness.copy(&[], &brief());
    assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (503, "overloaded"));
    assert_eq!(refused.header("retry-after"), "3");
    drop(passing);
    harness.expect_copy(&written(MODEL));
    assert_eq!(harness.copy(&[], &brief()).status, 200);
    assert!(harness.edge.shelter.pass().is_some(), "its place is free again");
}
