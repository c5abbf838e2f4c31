//! The life of a key, over both stores.

mod broken;
mod histories;
mod tenants;

use adlib_shared::key::KeyLimits;
use http::{Method, Request};
use serde_json::{Value, json};

use super::PAGE_KEYS_MAX;
use crate::authenticate::{KNOWN_MS_MAX, SECRETS_MAX};
use crate::harness::{Answered, Harness, brief, written};

const MODEL: &str = "sha256:one";
/// Within so long a revocation has to be seen everywhere, in milliseconds.
const REVOKED_MS_MAX: u64 = 10_000;

/// A test for each store.
fn on_both(changes: &[(&'static str, &'static str)], test: impl Fn(Harness)) {
    test(Harness::with(changes));
    test(Harness::on_redis(changes));
}

fn admin(harness: &Harness, method: Method, path: &str, body: &Value) -> Answered {
    harness.ask_as("operator", "admin", method, path, body)
}

fn code(answered: &Answered) -> String {
    answered.json()["code"].as_str().unwrap_or_default().to_owned()
}

/// Makes a key for copies and returns its id and its secret.
fn create(harness: &Harness, changes: &Value) -> (String, String) {
    let mut body = json!({ "tenant": "acme", "name": "ci", "scopes": ["copy"], "kind": "live" });
    for (member, value) in changes.as_object().expect("an object") {
        body[member] = value.clone();
    }
    let made = admin(harness, Method::POST, "/admin/keys", &body);
    assert_eq!(made.status, 201, "{made:?}");
    told(&made)
}

/// The id and the secret in a reply.
fn told(answered: &Answered) -> (String, String) {
    let text = |member: &str| answered.json()[member].as_str().expect("a text").to_owned();
    (text("id"), text("key"))
}

fn rotate(harness: &Harness, id: &str, overlap_s: u64) -> Answered {
    let path = format!("/admin/keys/{id}/rotate");
    admin(harness, Method::POST, &path, &json!({ "overlap_s": overlap_s }))
}

fn revoke(harness: &Harness, id: &str) -> u16 {
    admin(harness, Method::DELETE, &format!("/admin/keys/{id}"), &Value::Null).status.as_u16()
}

/// The ids that are listed.
fn listed(harness: &Harness, query: &str) -> Vec<String> {
    let page = admin(harness, Method::GET, &format!("/admin/keys{query}"), &Value::Null).json();
    let keys = page["keys"].as_array().expect("a list");
    let ids = keys.iter().filter(|key| key["tenant"] != "operator");
    ids.map(|key| key["id"].as_str().expect("an id").to_owned()).collect()
}

/// Uses a key for something that every key may do.
fn used(harness: &Harness, key: &str) -> u16 {
    let request = Request::get("/v1/tones").header("authorization", format!("Bearer {key}"));
    harness.send(request.body(bytes::Bytes::new()).expect("a request")).status.as_u16()
}

#[test]
fn a_key_is_made_used_rotated_and_revoked() {
    on_both(&[], |mut harness| {
        let (id, first) = create(&harness, &json!({}));
        assert!(first.starts_with(&format!("ck_live_{id}")));
        assert_eq!(used(&harness, &first), 200);
        let rotated = rotate(&harness, &id, 60);
        assert_eq!(rotated.status, 200, "{rotated:?}");
        let (same, second) = told(&rotated);
        assert_eq!(same, id);
        assert_eq!((used(&harness, &first), used(&harness, &second)), (200, 200));
        harness.now_ms += 59_999;
        assert_eq!((used(&harness, &first), used(&harness, &second)), (200, 200));
        harness.now_ms += 1;
        assert_eq!((used(&harness, &first), used(&harness, &second)), (401, 200));
        assert_eq!(revoke(&harness, &id), 204);
        assert_eq!((used(&harness, &second), revoke(&harness, &id)), (401, 404));
        assert_eq!(rotate(&harness, &id, 60).status, 404);
        assert_eq!(listed(&harness, ""), Vec::<String>::new());
    });
}

#[test]
fn a_secret_is_shown_once_and_kept_nowhere() {
    on_both(&[], |harness| {
        let (id, first) =
            create(&harness, &json!({ "limits": { "streams_max": 2 }, "expires": 1_800_000_000 }));
        let (_, second) = told(&rotate(&harness, &id, 60));
        let shown = admin(&harness, Method::GET, &format!("/admin/keys/{id}"), &Value::Null).json();
        let now_s = harness.now_ms / 1000;
        let expected = json!({
            "id": id, "tenant": "acme", "name": "ci", "kind": "live", "scopes": ["copy"], "created": now_s,
            "expires": 1_800_000_000, "limits": { "streams_max": 2 },
            "secrets": [{ "created": now_s, "ends": now_s + 60 }, { "created": now_s }],
        });
        assert_eq!(shown, expected);
        let page = admin(&harness, Method::GET, "/admin/keys?tenant=acme", &Value::Null).json();
        assert_eq!(page, json!({ "keys": [expected] }));
        let random = [&first, &second].map(|key| key["ck_live_".len() + id.len()..].to_owned());
        let is_held = |part: &String| harness.world().holds(part);
        assert!(!random.iter().any(is_held) && is_held(&id), "a hash is what is kept");
    });
}

#[test]
fn a_revocation_is_seen_at_once_here_and_in_time_elsewhere() {
    const { assert!(2 * KNOWN_MS_MAX <= REVOKED_MS_MAX) };
    on_both(&[], |here| {
        let mut elsewhere = here.apart();
        let (id, key) = create(&here, &json!({}));
        assert_eq!((used(&here, &key), used(&elsewhere, &key)), (200, 200));
        assert_eq!(revoke(&here, &id), 204);
        assert_eq!(used(&here, &key), 401);
        elsewhere.now_ms += KNOWN_MS_MAX - 1;
        assert_eq!(used(&elsewhere, &key), 200);
        elsewhere.now_ms += 1;
        assert_eq!(used(&elsewhere, &key), 401);
    });
}

#[test]
fn expiry_and_the_end_of_an_overlap_are_judged_at_each_request() {
    on_both(&[], |mut harness| {
        let (_, expiring) = create(&harness, &json!({ "expires": harness.now_ms / 1000 + 2 }));
        let (id, old) = create(&harness, &json!({}));
        rotate(&harness, &id, 2);
        for (passed_ms, status) in [(0, 200), (1999, 200), (1, 401)] {
            harness.now_ms += passed_ms;
            assert_eq!((used(&harness, &expiring), used(&harness, &old)), (status, status));
        }
    });
}

#[test]
fn what_is_made_or_rotated_elsewhere_works_at_once() {
    on_both(&[("failures_per_minute", "0")], |here| {
        let elsewhere = here.apart();
        let (id, first) = create(&here, &json!({}));
        assert_eq!(used(&elsewhere, &first), 200, "a key that is new");
        let (_, second) = told(&rotate(&here, &id, 0));
        assert_eq!(used(&elsewhere, &second), 200, "a secret that is new, of a key that is remembered");
        assert_eq!(used(&elsewhere, &first), 401, "what was read last counts");
    });
}

#[test]
fn a_key_that_was_used_a_moment_ago_costs_a_hit_no_read() {
    let changes = [("stats", "off"), ("rate_per_minute", "0")];
    on_both(&changes, |mut harness| {
        let is_redis = harness.edge.settings().expect("settings").redis.is_some();
        let key = harness.add_key("acme", &["copy"], KeyLimits::default());
        harness.expect_model(MODEL);
        harness.expect_copy(&written(MODEL));
        let of_keys = |harness: &Harness| harness.world().reads("key/") + harness.world().reads("MGET");
        let of_redis = |harness: &Harness| if is_redis { harness.world().reads("") } else { 0 };
        let ask = |harness: &Harness| {
            let before = (of_keys(harness), of_redis(harness));
            let request = crate::harness::request(&key, Method::POST, "/v1/copy", &[], &brief());
            assert_eq!(harness.send(request).status, 200);
            (of_keys(harness) - before.0, of_redis(harness) - before.1)
        };
        let first_read = if is_redis { 1 } else { 2 };
        assert_eq!(ask(&harness).0, first_read);
        for _ in 0..3 {
            assert_eq!(ask(&harness), (0, usize::from(is_redis)), "the visit alone");
        }
        harness.now_ms += KNOWN_MS_MAX;
        assert_eq!(ask(&harness).0, first_read);
    });
}

#[test]
fn a_rotation_takes_the_counts_and_the_blocks_along() {
    on_both(&[], |harness| {
        let (id, first) = create(&harness, &json!({ "limits": { "rate_per_minute": 3 } }));
        assert_eq!((used(&harness, &first), used(&harness, &first)), (200, 200));
        let (_, second) = told(&rotate(&harness, &id, 60));
        assert_eq!(
            (used(&harness, &second), used(&harness, &second), used(&harness, &first)),
            (200, 429, 429)
        );

        let (id, first) = create(&harness, &json!({}));
        let block = json!({ "subject": format!("key/{id}"), "seconds": 60 });
        assert_eq!(admin(&harness, Method::POST, "/admin/blocks", &block).status, 200);
        let (_, second) = told(&rotate(&harness, &id, 60));
        assert_eq!((used(&harness, &first), used(&harness, &second)), (429, 429));
    });
}

#[test]
fn a_key_has_so_many_secrets_and_no_more() {
    on_both(&[], |harness| {
        let (id, first) = create(&harness, &json!({}));
        for _ in 1..SECRETS_MAX {
            assert_eq!(rotate(&harness, &id, 60).status, 200);
        }
        let refused = rotate(&harness, &id, 60);
        assert_eq!((refused.status.as_u16(), code(&refused).as_str()), (422, "invalid_field"));
        assert_eq!(used(&harness, &first), 200);
        let (_, last) = told(&rotate(&harness, &id, 0));
        assert_eq!((used(&harness, &first), used(&harness, &last)), (401, 200));
    });
}

#[test]
fn an_expired_key_gets_no_other_secret() {
    on_both(&[], |mut harness| {
        let (id, _) = create(&harness, &json!({ "expires": harness.now_ms / 1000 + 1 }));
        harness.now_ms += 1000;
        assert_eq!(code(&rotate(&harness, &id, 0)), "invalid_field");
        assert_eq!(revoke(&harness, &id), 204);
    });
}

#[test]
fn keys_are_listed_page_by_page_and_by_tenant() {
    on_both(&[("rate_per_minute", "0")], |harness| {
        let mut made: Vec<String> =
            (0..=PAGE_KEYS_MAX).map(|_| create(&harness, &json!({ "tenant": "many" })).0).collect();
        made.sort();
        let (other, _) = create(&harness, &json!({ "tenant": "few" }));
        assert_eq!(listed(&harness, "?tenant=few"), [other]);
        assert_eq!(listed(&harness, "?tenant=nobody"), Vec::<String>::new());
        let page = admin(&harness, Method::GET, "/admin/keys?tenant=many", &Value::Null).json();
        assert_eq!(page["next"], made[PAGE_KEYS_MAX - 1]);
        assert_eq!(listed(&harness, "?tenant=many"), made[..PAGE_KEYS_MAX]);
        let rest = format!("?tenant=many&after={}", made[PAGE_KEYS_MAX - 1]);
        assert_eq!(listed(&harness, &rest), made[PAGE_KEYS_MAX..]);
        assert_eq!(revoke(&harness, &made[0]), 204);
        let page = admin(&harness, Method::GET, "/admin/keys?tenant=many", &Value::Null).json();
        assert_eq!(page["next"], Value::Null, "a page that is full is the last one");
        for query in ["?tenant=", "?tenant=a/b", "?after=1", "?tenant=a&tenant=b", "?colour=red", "?tenant"] {
            let refused = admin(&harness, Method::GET, &format!("/admin/keys{query}"), &Value::Null);
            assert_eq!(code(&refused), "invalid_field", "{query}");
        }
    });
}
