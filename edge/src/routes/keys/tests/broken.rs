//! A store that fails in the middle: nothing is half done that somebody could use.

use super::*;

/// More operations of the store than any request to these routes takes.
const OPERATIONS: usize = 40;

/// Tries a request while the store fails after more and more operations, until it is done.
fn at_every_operation(test: impl Fn(&Harness, &dyn Fn(&dyn Fn() -> u16) -> u16) -> bool) {
    on_both(&[("stats", "off"), ("rate_per_minute", "0")], |harness| {
        let is_done = (0..OPERATIONS).any(|operations| {
            let attempt = |request: &dyn Fn() -> u16| {
                harness.world().fail_after(operations);
                let status = request();
                harness.world().fail(false);
                status
            };
            test(&harness, &attempt)
        });
        assert!(is_done, "with every operation it works");
    });
}

#[test]
fn a_key_that_was_not_told_does_not_live() {
    at_every_operation(|harness, attempt| {
        let key = harness.add_key("operator", &["admin"], KeyLimits::default());
        let body = json!({ "tenant": "acme", "name": "ci", "scopes": ["copy"], "kind": "live" });
        let request = || crate::harness::request(&key, Method::POST, "/admin/keys", &[], &body);
        let status = attempt(&|| harness.send(request()).status.as_u16());
        let live = listed(harness, "");
        assert_eq!(live.len(), usize::from(status == 201), "{status}");
        assert!(status == 201 || status == 503, "{status}");
        let records = harness.world().keys("key/").into_iter().filter(|name| !name.ends_with("/secrets"));
        let is_redis = harness.edge.settings().expect("settings").redis.is_some();
        assert!(is_redis || records.count() == 1 + live.len(), "the operator's, and what is listed");
        status == 201
    });
}

#[test]
fn a_rotation_that_failed_changes_nothing() {
    at_every_operation(|harness, attempt| {
        let key = harness.add_key("operator", &["admin"], KeyLimits::default());
        let (id, secret) = create(harness, &json!({}));
        let path = format!("/admin/keys/{id}/rotate");
        let body = json!({ "overlap_s": 0 });
        let request = || crate::harness::request(&key, Method::POST, &path, &[], &body);
        let status = attempt(&|| harness.send(request()).status.as_u16());
        assert_eq!(used(harness, &secret), if status == 200 { 401 } else { 200 }, "{status}");
        let shown = admin(harness, Method::GET, &format!("/admin/keys/{id}"), &Value::Null).json();
        assert_eq!(shown["secrets"].as_array().map(Vec::len), Some(1));
        status == 200
    });
}

#[test]
fn a_revocation_that_failed_can_be_tried_again_until_nothing_is_left() {
    at_every_operation(|harness, attempt| {
        let key = harness.add_key("operator", &["admin"], KeyLimits::default());
        let (id, secret) = create(harness, &json!({}));
        let path = format!("/admin/keys/{id}");
        let request = || crate::harness::request(&key, Method::DELETE, &path, &[], &Value::Null);
        let status = attempt(&|| harness.send(request()).status.as_u16());
        let works = used(harness, &secret) == 200;
        assert_eq!(listed(harness, "").contains(&id), works, "who works is listed");
        if status != 204 {
            assert_eq!(revoke(harness, &id), 204);
        }
        assert_eq!((used(harness, &secret), revoke(harness, &id)), (401, 404));
        assert!(!harness.world().holds(&id), "nothing is left of it");
        status == 204
    });
}

#[test]
fn without_its_store_nothing_is_administered() {
    on_both(&[], |harness| {
        let (id, _) = create(&harness, &json!({}));
        let key = harness.add_key("operator", &["admin"], KeyLimits::default());
        harness.world().fail(true);
        for (method, path, body) in [
            (Method::GET, "/admin/keys".to_owned(), Value::Null),
            (
                Method::POST,
                "/admin/keys".to_owned(),
                json!({ "tenant": "acme", "name": "ci", "scopes": ["copy"], "kind": "live" }),
            ),
            (Method::GET, format!("/admin/keys/{id}"), Value::Null),
            (Method::POST, format!("/admin/keys/{id}/rotate"), json!({ "overlap_s": 0 })),
            (Method::DELETE, format!("/admin/keys/{id}"), Value::Null),
        ] {
            let answered = harness.send(crate::harness::request(&key, method.clone(), &path, &[], &body));
            assert_eq!(
                (answered.status.as_u16(), code(&answered).as_str()),
                (503, "overloaded"),
                "{method} {path}"
            );
        }
    });
}
