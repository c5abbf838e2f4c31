//! What keys keep apart: tenants from each other, and who may not from what there is.

use adlib_shared::api_key::{ApiKey, Kind};

use super::*;

fn ask(harness: &Harness, key: &str, method: Method, path: &str, body: &Value) -> Answered {
    let key = ApiKey::parse(key).expect("a key");
    harness.send(crate::harness::request(&key, method, path, &[], body))
}

#[test]
fn tenants_never_see_each_others_copies_or_counts() {
    on_both(&[], |harness| {
        let [acme, beta] = ["acme", "beta"].map(|tenant| create(&harness, &json!({ "tenant": tenant })).1);
        harness.expect_model(MODEL);
        harness.expect_copy(&written(MODEL));
        let copy = |key: &str| ask(&harness, key, Method::POST, "/v1/copy", &brief());
        let first = copy(&acme);
        assert_eq!(first.header("cache-status"), "adlib; fwd=uri-miss; stored");
        let path = format!("/v1/copies/{}", first.json()["id"].as_str().expect("an id"));
        let stored = |key: &str| ask(&harness, key, Method::GET, &path, &Value::Null).status.as_u16();
        assert_eq!((stored(&acme), stored(&beta)), (200, 404));
        harness.expect_copy(&written(MODEL));
        assert_eq!(copy(&beta).header("cache-status"), "adlib; fwd=uri-miss; stored", "not the other's");
        let stats = |key: &str| ask(&harness, key, Method::GET, "/v1/stats", &Value::Null).json();
        assert_eq!((&stats(&acme)["requests"], &stats(&beta)["requests"]), (&json!(2), &json!(2)));
        let (_, sibling) = create(&harness, &json!({ "name": "web" }));
        assert!(copy(&sibling).header("cache-status").starts_with("adlib; hit"), "one tenant, two keys");
        assert_eq!(stats(&sibling)["requests"], 4, "and one count");
    });
}

#[test]
fn a_key_without_the_scope_learns_nothing() {
    on_both(&[("rate_per_minute", "0"), ("strikes_max", "0")], |harness| {
        let (id, key) = create(&harness, &json!({ "scopes": ["copy", "check", "jobs"] }));
        let wanted = json!({ "tenant": "acme", "name": "ci", "scopes": ["admin"], "kind": "live" });
        let rotation = json!({ "overlap_s": 0 });
        let mut told: Vec<Value> = Vec::new();
        for id in [id.as_str(), "0123456789abcdef", "nonsense"] {
            for (method, path, body) in [
                (Method::GET, "/admin/keys".to_owned(), &Value::Null),
                (Method::GET, "/admin/keys?colour=red".to_owned(), &Value::Null),
                (Method::POST, "/admin/keys".to_owned(), &wanted),
                (Method::POST, "/admin/keys".to_owned(), &Value::Null),
                (Method::GET, format!("/admin/keys/{id}"), &Value::Null),
                (Method::POST, format!("/admin/keys/{id}/rotate"), &rotation),
                (Method::DELETE, format!("/admin/keys/{id}"), &Value::Null),
            ] {
                let answered = ask(&harness, &key, method, &path, body);
                assert_eq!(answered.status, 403, "{path}");
                let mut document = answered.json();
                document["instance"] = Value::Null;
                told.push(document);
            }
        }
        assert!(told.iter().all(|document| *document == told[0]), "{told:?}");
        let (_, operator) = create(&harness, &json!({ "scopes": ["admin"] }));
        for path in ["/v1/copies/copy_1", "/v1/copies/copy_2"] {
            assert_eq!(ask(&harness, &operator, Method::GET, path, &Value::Null).status, 403);
        }
        assert_eq!(listed(&harness, "").len(), 2, "nothing was done");
    });
}

#[test]
fn junk_is_refused_without_a_look_into_the_store() {
    on_both(&[("failures_per_minute", "0"), ("strikes_max", "0"), ("stats", "off")], |harness| {
        let (id, key) = create(&harness, &json!({}));
        let reads = || harness.world().reads("key/") + harness.world().reads("MGET");
        let before = reads();
        let slip = key.replace(&key[key.len() - 1..], if key.ends_with('0') { "1" } else { "0" });
        let without_id = ApiKey::generate(Kind::Live, [3; 16]);
        for junk in ["", "junk", &slip, &id, &key[..key.len() - 1], without_id.expose(), &format!("{key}0")] {
            assert_eq!(used(&harness, junk), 401, "{junk}");
        }
        assert_eq!(reads(), before);
    });
}
